import GoopCore
import GoopTestKit
import P2PCore

/// Whole peers on the virtual network: router, presence and peer table, as `GoopNode` joins them, without its sockets.
struct PresenceWorld {
    private struct Peer {
        var machine: PresenceMachine
        var table: PeerTable
        let profile: PresenceProfile
        var publications = 0
        var known: Set<Int> = []
    }

    /// Time passes in steps of this size between the network and the peers on it.
    private static let step = Duration.milliseconds(10)
    static let heartbeat = Duration.seconds(5)
    static let timeToLive = Duration.seconds(20)

    var gossip: GossipWorld
    private var peers: [Int: Peer] = [:]
    private var random: SeededGenerator
    private var nextTableTick = MonotonicInstant.zero

    init(seed: UInt64) {
        gossip = GossipWorld(seed: seed)
        gossip.keepsOccurrences = true
        random = SeededGenerator(seed: seed &+ 77)
    }

    private var moment: Moment {
        let uptime = MonotonicInstant.zero.duration(to: gossip.network.now)
        return Moment(uptime: uptime, unixMilliseconds: 1_700_000_000_000 + Int64(uptime / .milliseconds(1)))
    }

    mutating func addPeer() -> Int {
        let number = gossip.addNode()
        begin(number)
        return number
    }

    private mutating func begin(_ number: Int) {
        let id = GossipWorld.peerID(of: number)
        let peer = Peer(
            machine: PresenceMachine(configuration: .init(heartbeat: Self.heartbeat)),
            table: PeerTable(ownID: id, limits: .init(timeToLive: Self.timeToLive)),
            profile: PresenceProfile(peer: id, label: "peer \(number)"))
        peers[number] = peer
        say(number) { $0.start(now: $1) }
    }

    /// Ends a peer without a goodbye.
    mutating func kill(_ number: Int) {
        gossip.crash(number)
        peers[number] = nil
    }

    /// Ends a peer with a goodbye; its last words are under way before its connections break.
    mutating func stop(_ number: Int) {
        say(number) { $0.stop(now: $1) }
        run(for: .milliseconds(50))
        kill(number)
    }

    /// Starts a peer again, without memory.
    mutating func restart(_ number: Int, connections: Int) {
        gossip.restart(number, connections: connections)
        begin(number)
    }

    private mutating func say(_ number: Int, _ event: (inout PresenceMachine, Moment) -> PresenceMachine.Publication?) {
        guard var peer = peers[number] else { return }
        if let publication = event(&peer.machine, moment) {
            peer.publications += 1
            gossip.publish(from: number, data: peer.profile.message(for: publication).encoded())
        }
        peers[number] = peer
    }

    mutating func run(for duration: Duration) {
        let end = gossip.network.now.advanced(by: duration)
        while gossip.network.now < end {
            gossip.run(for: Self.step)
            for occurrence in gossip.occurrences { handle(occurrence) }
            gossip.occurrences.removeAll(keepingCapacity: true)
            for number in peers.keys.sorted() { say(number) { $0.timerFired(now: $1) } }
            if gossip.network.now >= nextTableTick {
                nextTableTick = gossip.network.now.advanced(by: .seconds(1))
                let now = moment
                for number in peers.keys { _ = peers[number]?.table.timerFired(now: now) }
            }
        }
    }

    private mutating func handle(_ occurrence: GossipWorld.Occurrence) {
        switch occurrence {
        case .delivered(let number, let author, let data):
            guard let message = try? PresenceMessage(decoding: data) else { return }
            let now = moment
            // A refusal is an answer: our own message, or one that a newer one overtook.
            _ = try? peers[number]?.table.received(message, from: GossipWorld.peerID(of: author), now: now)
        case .subscribed(let number, let other):
            guard var peer = peers[number] else { return }
            peer.known.insert(other)
            peer.machine.listenerAppeared(listeners: peer.known.count, now: moment, using: &random)
            peers[number] = peer
        }
    }

    // MARK: What they see

    var live: [Int] { peers.keys.sorted() }

    /// Pairs of live peers of which the first does not list the second as here.
    func unknown(among numbers: [Int]? = nil) -> [String] {
        let numbers = numbers ?? live
        return numbers.flatMap { one in
            numbers.filter { other in
                other != one && peers[one]?.table[GossipWorld.peerID(of: other)].map { !$0.offline } != true
            }.map { "\(one) does not see \($0)" }
        }
    }

    /// Pairs of a live peer and one that is gone, which the first still lists as here.
    func ghosts(_ gone: [Int]) -> [String] {
        live.flatMap { one in
            gone.filter { peers[one]?.table[GossipWorld.peerID(of: $0)]?.offline == false }.map {
                "\(one) still sees \($0)"
            }
        }
    }

    func publications(of number: Int) -> Int { peers[number]?.publications ?? 0 }
}
