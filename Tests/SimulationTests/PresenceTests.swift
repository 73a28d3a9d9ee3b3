import GoopTestKit
import Testing

/// Fifty peers and more who come, go and are cut apart: who sees whom, and what it costs. A failure names its seed.
@Suite struct PresenceTests {
    private static let lossy = VirtualNetwork<GossipWorld.Frame>.Quality(jitter: .milliseconds(20), lossPercent: 1)

    private func fifty(seed: UInt64) -> (PresenceWorld, [Int]) {
        var world = PresenceWorld(seed: seed)
        let peers = (0..<50).map { _ in world.addPeer() }
        world.gossip.connectRandomly(peers, degree: 5, quality: Self.lossy)
        return (world, peers)
    }

    @Test(arguments: UInt64(1)...3) func everybodySeesEverybodyWithinTwoHeartbeatsOfTheStart(seed: UInt64) {
        var (world, _) = fifty(seed: seed)
        world.run(for: PresenceWorld.heartbeat * 2)
        #expect(world.unknown().isEmpty, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...3) func afterAPartitionEverybodyIsKnownWithinTwoHeartbeats(seed: UInt64) {
        var (world, peers) = fifty(seed: seed)
        world.run(for: PresenceWorld.heartbeat * 2)
        let (left, right) = (Array(peers.prefix(25)), Array(peers.suffix(25)))
        world.gossip.network.partition(left)
        world.run(for: .seconds(2))
        for one in left { for other in right { world.gossip.disconnect(one, other) } }
        // Those who are left alone on their side find each other again, as they would by multicast.
        world.gossip.connectRandomly(left, degree: 2, quality: Self.lossy)
        world.gossip.connectRandomly(right, degree: 2, quality: Self.lossy)
        var killed: [Int] = []
        for victim in [left[3], left[7], right[5]] {
            world.kill(victim)
            killed.append(victim)
            world.run(for: .seconds(3))
        }
        world.run(for: PresenceWorld.timeToLive + .seconds(2))
        #expect(world.ghosts(killed).isEmpty, "seed \(seed)")
        #expect(world.ghosts([]).isEmpty)
        // Across the cut everybody went silent, on each side everybody is still there.
        #expect(world.unknown(among: left.filter { !killed.contains($0) }).isEmpty, "seed \(seed)")
        #expect(!world.unknown().isEmpty, "seed \(seed): the cut was one")

        world.gossip.network.heal()
        for one in left where !killed.contains(one) {
            for other in right.filter({ !killed.contains($0) }).shuffled(using: &world.gossip.network.random).prefix(2)
            {
                world.gossip.connect(one, to: other, quality: Self.lossy)
            }
        }
        world.run(for: PresenceWorld.heartbeat * 2)
        #expect(world.unknown().isEmpty, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...3) func whoStopsIsGoneAtOnceAndWhoComesBackIsSeenAtOnce(seed: UInt64) {
        var (world, peers) = fifty(seed: seed)
        world.run(for: PresenceWorld.heartbeat * 2)
        world.stop(peers[9])
        world.run(for: .seconds(2))
        #expect(world.ghosts([peers[9]]).isEmpty, "seed \(seed)")
        world.restart(peers[9], connections: 6)
        world.run(for: .seconds(3))
        #expect(world.unknown().isEmpty, "seed \(seed)")
    }

    @Test func twoHundredArrivingAtOnceCauseNoStorm() {
        var world = PresenceWorld(seed: 1)
        let peers = (0..<200).map { _ in world.addPeer() }
        world.gossip.connectRandomly(peers, degree: 6, quality: Self.lossy)
        world.run(for: .seconds(10))
        #expect(world.unknown().isEmpty)
        // One announcement, at most one update a second for newcomers, a heartbeat each five seconds.
        let most = peers.map(world.publications(of:)).max() ?? 0
        #expect((2...13).contains(most), "the busiest published \(most) times in 10 s")
    }
}
