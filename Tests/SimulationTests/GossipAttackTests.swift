import Foundation
import GoopTestKit
import Multiformats
import P2PCore
import Testing

/// Honest nodes among twenty times as many attackers: per honest node about ten honest connections and two hundred
/// others, which are free to speak out of turn but not to forge signatures.
///
/// The attacks are those of "GossipSub: Attack-Resilient Message Propagation" (Vyzovitis et al., 2020), and floods of
/// every kind of control message. Asked is always the same: at least 99.9 % of the honest messages reach every honest
/// node, and after at most a minute they come through the mesh again, within a second.
@Suite struct GossipAttackTests {
    /// Honest nodes; there are twenty times as many attackers. SIMULATION_NODES sets it for longer runs.
    static let honest = ProcessInfo.processInfo.environment["SIMULATION_NODES"].flatMap(Int.init) ?? 12
    static let attackers = 20 * honest
    /// Every attack is played in so many worlds. SIMULATION_WORLDS sets it for longer runs.
    static let rounds: [UInt64] = {
        let count = ProcessInfo.processInfo.environment["SIMULATION_WORLDS"].flatMap(Int.init) ?? 2
        return (0..<max(1, count)).map(UInt64.init)
    }()

    /// The seed of an attack's world.
    static func seed(_ number: UInt64, _ round: UInt64) -> UInt64 { number + 100 * round }

    /// Honest nodes, and attackers, each of which dials ten of them.
    func world(
        seed: UInt64, round: UInt64, honest: Int = honest, attackers: Int = attackers, each: Int = 10,
        at address: (Int) -> IPAddress? = spread, _ adversary: any Adversary
    ) -> GossipWorld {
        var world = GossipWorld(seed: Self.seed(seed, round))
        let nodes = (0..<honest).map { _ in world.addNode() }
        world.connectRandomly(nodes, degree: 5, quality: .init(jitter: .milliseconds(20)))
        for index in 0..<attackers {
            let attacker = world.addAdversary(adversary)
            for victim in nodes.shuffled(using: &world.network.random).prefix(each) {
                world.connect(attacker, to: victim, diallerAddress: address(index))
            }
        }
        return world
    }

    /// Every attacker has an address of its own.
    static func spread(_ index: Int) -> IPAddress? { .v4(UInt32(0x0800_0000 + index * 256)) }

    struct Outcome: CustomStringConvertible {
        var expected = 0
        var delivered = 0
        /// Delivered after a second or more: gossip, not the mesh, brought it.
        var slow = 0
        /// The last message that was late or missing somewhere.
        var lastTrouble: MonotonicInstant?
        var share: Double { Double(delivered) / Double(max(1, expected)) }
        var description: String {
            let trouble = lastTrouble.map { "\($0.nanoseconds / 1_000_000_000) s" } ?? "never"
            return "\(delivered) of \(expected) delivered, \(slow) late, last trouble: \(trouble)"
        }
    }

    /// What became of the messages published in a span of seconds.
    func outcome(
        _ world: GossipWorld, from start: Int, to end: Int, nodes: [Int]? = nil, authors: [Int]? = nil
    ) -> Outcome {
        var outcome = Outcome()
        let (from, to) = (Self.second(start), Self.second(end))
        for (_, publication) in world.publications where publication.time >= from && publication.time < to {
            if let authors, !authors.contains(publication.author) { continue }
            for node in nodes ?? world.liveNodes where node != publication.author {
                outcome.expected += 1
                let arrival = publication.deliveries[node]
                if arrival != nil { outcome.delivered += 1 }
                if arrival.map({ publication.time.duration(to: $0) >= .seconds(1) }) ?? true {
                    if arrival != nil { outcome.slow += 1 }
                    outcome.lastTrouble = publication.time
                }
            }
        }
        return outcome
    }

    static func second(_ number: Int) -> MonotonicInstant { .zero.advanced(by: .seconds(number)) }

    /// One message a second from a random honest node.
    func chat(_ world: inout GossipWorld, seconds: Int, among nodes: [Int]) {
        for _ in 0..<seconds {
            world.publish(from: nodes[Int.random(in: 0..<nodes.count, using: &world.network.random)])
            world.run(for: .seconds(1))
        }
    }

    /// Nearly everything published from `start` on arrived, and in time from a minute later on.
    func expectDeliveredAndHealed(
        _ world: GossipWorld, _ what: String, from start: Int, to end: Int, _ place: SourceLocation = #_sourceLocation
    ) {
        let all = outcome(world, from: start, to: end)
        print("\(what), seed \(world.network.seed): \(all)")
        #expect(all.share >= 0.999, "\(what), seed \(world.network.seed): \(all)", sourceLocation: place)
        let healed = outcome(world, from: start + 60, to: end)
        #expect(
            healed.expected > 0 && healed.lastTrouble == nil,
            "\(what), seed \(world.network.seed): \(healed)", sourceLocation: place)
    }

    /// Cold boot and degradation: honest nodes and attackers meet at the same moment, and attackers pass on nothing,
    /// half, or everything two seconds late.
    @Test(arguments: [(0, 0), (50, 0), (100, 2)], rounds)
    func coldBootAndDegradation(attackers: (forwards: Int, lateSeconds: Int), round: UInt64) {
        let (forwards, lateSeconds) = attackers
        var world = world(seed: 1, round: round, MeshHog(forwards: forwards, holdsBack: .seconds(lateSeconds)))
        chat(&world, seconds: 90, among: world.liveNodes)
        world.run(for: .seconds(5))
        expectDeliveredAndHealed(
            world, "cold boot, attackers forward \(forwards) % after \(lateSeconds) s", from: 0, to: 90)
    }

    /// Covert flash: they behave for a minute, earn trust, and fall silent all at once.
    @Test(arguments: rounds) func covertFlash(round: UInt64) {
        var world = world(seed: 2, round: round, MeshHog(forwards: 0, behavesUntil: Self.second(60)))
        chat(&world, seconds: 150, among: world.liveNodes)
        world.run(for: .seconds(5))
        expectDeliveredAndHealed(world, "covert flash", from: 60, to: 150)
    }

    /// Censoring: everything is passed on but what one author says.
    @Test(arguments: rounds) func censoring(round: UInt64) {
        var world = world(seed: 3, round: round, MeshHog(forwards: 100, silences: [7]))
        for _ in 0..<45 {
            chat(&world, seconds: 1, among: world.liveNodes)
            world.publish(from: 7)
            world.run(for: .seconds(1))
        }
        world.run(for: .seconds(5))
        let silenced = outcome(world, from: 0, to: 90, authors: [7])
        print("censoring of one author: \(silenced)")
        #expect(silenced.share >= 0.999)
        expectDeliveredAndHealed(world, "censoring, all authors", from: 0, to: 90)
    }

    /// Eclipse of one: all attackers fall upon one node, and are there before its honest neighbours.
    @Test(arguments: rounds) func eclipseOfOne(round: UInt64) {
        var world = GossipWorld(seed: Self.seed(4, round))
        let nodes = (0..<Self.honest).map { _ in world.addNode() }
        for index in 0..<Self.attackers {
            let attacker = world.addAdversary(MeshHog(forwards: 0))
            world.connect(attacker, to: 7, diallerAddress: Self.spread(index))
        }
        world.run(for: .seconds(2))
        #expect(world.router(7)?.meshPeers(of: GossipWorld.topic).isEmpty == false, "the attackers are in")
        world.connectRandomly(nodes, degree: 5)
        for _ in 0..<90 {
            world.publish(from: 7)
            world.run(for: .milliseconds(500))
            world.publish(from: nodes[Int.random(in: 0..<nodes.count, using: &world.network.random)])
            world.run(for: .milliseconds(500))
        }
        world.run(for: .seconds(5))
        for (what, result) in [
            ("to", outcome(world, from: 2, to: 92, nodes: [7])),
            ("from", outcome(world, from: 2, to: 92, authors: [7])),
        ] {
            print("eclipse of one, \(what) it: \(result)")
            #expect(result.share >= 0.999)
        }
        expectDeliveredAndHealed(world, "eclipse of one, all nodes", from: 2, to: 92)
        #expect(!world.honestMesh(of: 7).isEmpty)
    }

    /// Eclipse of all: every mesh is full of attackers before the honest nodes know one another.
    @Test(arguments: rounds) func eclipseOfAll(round: UInt64) {
        var world = GossipWorld(seed: Self.seed(5, round))
        let nodes = (0..<Self.honest).map { _ in world.addNode() }
        for index in 0..<Self.attackers {
            let attacker = world.addAdversary(MeshHog(forwards: 0))
            for victim in nodes.shuffled(using: &world.network.random).prefix(10) {
                world.connect(attacker, to: victim, diallerAddress: Self.spread(index))
            }
        }
        world.run(for: .seconds(2))
        #expect(nodes.allSatisfy { (world.router($0)?.meshPeers(of: GossipWorld.topic).count ?? 0) >= 5 })
        world.connectRandomly(nodes, degree: 5)
        chat(&world, seconds: 90, among: nodes)
        world.run(for: .seconds(5))
        expectDeliveredAndHealed(world, "eclipse of all", from: 2, to: 92)
    }

    /// Sybils: one machine plays all attackers. Where the dialler's address is known they do not even enter.
    @Test(arguments: rounds) func sybilsBehindOneAddressAreShutOut(round: UInt64) {
        var world = world(seed: 6, round: round, at: { _ in .v4(0x0808_0808) }, MeshHog(forwards: 0))
        let nodes = world.liveNodes
        chat(&world, seconds: 20, among: nodes)
        world.run(for: .seconds(5))
        let all = outcome(world, from: 0, to: 20)
        print("sybils behind one address: \(all)")
        #expect(all.share >= 0.999)
        // No attacker is heard, so nothing has to heal once the honest meshes are made.
        let settled = outcome(world, from: 10, to: 20)
        #expect(settled.expected > 0 && settled.lastTrouble == nil, "seed \(world.network.seed): \(settled)")
        for node in nodes {
            let mesh = world.router(node)?.meshPeers(of: GossipWorld.topic).count ?? 0
            #expect(mesh == world.honestMesh(of: node).count, "no attacker is left in a mesh")
        }
    }

    @Test(arguments: Flooder.Kind.allCases, rounds) func floods(kind: Flooder.Kind, round: UInt64) {
        var world = world(seed: 7, round: round, honest: 10, attackers: 200, Flooder(kind))
        let nodes = world.liveNodes
        // Who asks to enter over and over may be in for a while: it says nothing that is against the rules.
        let seconds = kind == .graft ? 70 : 12
        chat(&world, seconds: seconds, among: nodes)
        world.run(for: .seconds(5))
        let all = outcome(world, from: 0, to: seconds)
        let frames = nodes.map { world.framesSent[$0] ?? 0 }.max() ?? 0
        print("flood of \(kind): \(all); busiest node wrote \(frames) frames")
        #expect(all.share >= 0.999, "\(kind): \(all)")
        if kind == .graft {
            let healed = outcome(world, from: 60, to: seconds)
            #expect(healed.expected > 0 && healed.lastTrouble == nil, "\(kind): \(all)")
        } else {
            // The flood is on all the time: whoever is not let in cannot keep the mesh from bringing nearly all of it in time.
            #expect(all.expected > 0 && all.slow <= all.expected / 10, "\(kind): \(all)")
        }
        #expect(nodes.allSatisfy { (world.router($0)?.pendingMessages ?? 0) == 0 })
    }
}
