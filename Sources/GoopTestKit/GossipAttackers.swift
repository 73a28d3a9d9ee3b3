public import P2PCore
internal import PeerIdentity

/// Joins every mesh it can, asks back in as soon as it may without being found out, and is choosy about what it passes on.
public struct MeshHog: Adversary {
    /// Time between its own acts.
    public var interval: Duration { .milliseconds(500) }
    /// Of a hundred messages so many are passed on.
    public var forwards: Int
    /// What is passed on waits so long before.
    public var holdsBack: Duration
    /// Before this time everything is passed on at once.
    public var behavesUntil: MonotonicInstant
    /// Nothing of these authors is ever passed on.
    public var silences: Set<GossipWorld.NodeNumber>
    private var nextGraft: [GossipWorld.NodeNumber: MonotonicInstant] = [:]
    private var passedOn: Set<MessageID> = []
    private var held: [(due: MonotonicInstant, rpc: GossipRPC, from: GossipWorld.NodeNumber)] = []

    /// Describes what becomes of the messages it gets.
    public init(
        forwards: Int, holdsBack: Duration = .zero, behavesUntil: MonotonicInstant = .zero,
        silences: Set<GossipWorld.NodeNumber> = []
    ) {
        self.forwards = forwards
        self.holdsBack = holdsBack
        self.behavesUntil = behavesUntil
        self.silences = silences
    }

    /// What it does unasked.
    public mutating func act(as number: GossipWorld.NodeNumber, world: inout GossipWorld) {
        let now = world.network.now
        for victim in world.victims[number] ?? [] where nextGraft[victim].map({ $0 <= now }) ?? true {
            var rpc = GossipRPC()
            rpc.subscriptions = [.init(subscribes: true, topic: GossipWorld.topic)]
            rpc.graft = [GossipWorld.topic]
            world.inject(rpc, from: number, to: victim)
            // Unless a PRUNE comes it is in: asking again then is answered by silence.
            nextGraft[victim] = now.advanced(by: .seconds(15))
        }
        for entry in held where entry.due <= now {
            world.inject(entry.rpc, fromAttacker: number, except: entry.from)
        }
        held.removeAll { $0.due <= now }
    }

    /// What it makes of a frame.
    public mutating func received(
        _ body: ArraySlice<UInt8>, from sender: GossipWorld.NodeNumber, as number: GossipWorld.NodeNumber,
        world: inout GossipWorld
    ) {
        guard let rpc = try? GossipRPC(decoding: body) else { return }
        let now = world.network.now
        for prune in rpc.prune {
            nextGraft[sender] = now.advanced(by: .seconds(Int64(clamping: prune.backoffSeconds ?? 60) + 1))
        }
        let behaves = now < behavesUntil
        for encoded in rpc.messages {
            guard let message = try? GossipMessage(encoded: encoded), passedOn.insert(message.id).inserted else {
                continue
            }
            let isSilenced = silences.contains { GossipWorld.peerID(of: $0) == message.source }
            guard behaves || (!isSilenced && Int.random(in: 0..<100, using: &world.network.random) < forwards) else {
                continue
            }
            var forward = GossipRPC()
            forward.messages = [encoded]
            if behaves || holdsBack == .zero {
                world.inject(forward, fromAttacker: number, except: sender)
            } else {
                held.append((now.advanced(by: holdsBack), forward, sender))
            }
        }
    }
}

/// Says the same over and over.
public struct Flooder: Adversary {
    /// What it says.
    public enum Kind: CaseIterable, Sendable { case graft, prune, have, want, subscribe, forgery, dontWant }

    /// Time between its own acts.
    public var interval: Duration { .milliseconds(500) }
    private let kind: Kind
    private var round: UInt64 = 0

    /// A flood of one kind.
    public init(_ kind: Kind) { self.kind = kind }

    /// What it makes of a frame.
    public mutating func received(
        _ body: ArraySlice<UInt8>, from sender: GossipWorld.NodeNumber, as number: GossipWorld.NodeNumber,
        world: inout GossipWorld
    ) {}

    /// What it does unasked.
    public mutating func act(as number: GossipWorld.NodeNumber, world: inout GossipWorld) {
        round += 1
        let topic = GossipWorld.topic
        let ids = (0..<20).map { GossipWorld.message(author: 5000 + number, sequence: round * 100 + $0, size: 1).id }
        var rpc = GossipRPC()
        rpc.subscriptions = [.init(subscribes: true, topic: topic)]
        switch kind {
        case .graft: rpc.graft = [topic]
        case .prune:
            // Out of the mesh and at once back in, so that the next PRUNE costs the victim a member again.
            rpc.prune = [.init(topic: topic, backoffSeconds: 1)]
            rpc.graft = [topic]
        case .have: rpc.have = [.init(topic: topic, ids: ids)]
        case .want: rpc.want = world.publications.suffix(20).map(\.id)
        case .subscribe:
            rpc.subscriptions = (0..<20).map { .init(subscribes: true, topic: "\(number) \(round) \($0)") }
        case .forgery:
            rpc.messages = (0..<5).map {
                GossipWorld.message(author: $0, sequence: 1_000_000 + round, size: 2000, forged: true).encoded[...]
            }
        case .dontWant: rpc.dontWant = ids.prefix(10) + world.publications.suffix(10).map(\.id)
        }
        world.inject(rpc, fromAttacker: number)
    }
}
