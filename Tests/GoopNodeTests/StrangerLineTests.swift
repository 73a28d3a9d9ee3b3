import Multiformats
import PeerIdentity
import Synchronization
import Testing

@testable import GoopNode

@Suite struct StrangerLineTests {
    private func ids(_ count: Int) -> [PeerID] { (0..<count).map { _ in PrivateKey.generate().peerID } }
    private func host(_ number: Int) -> IPAddress { .v4(0x0a03_0000 + UInt32(number)) }

    /// Two hosts that make up peers, hundreds of them, and never answer: a newcomer is dialled at once all the same.
    @Test func aFloodDoesNotKeepANewcomerWaiting() {
        var line = StrangerLine()
        for (number, peer) in ids(2 * StrangerLine.maximumWaiting).enumerated() {
            line.heard(peer, at: host(number % 2))
            _ = line.next()
        }
        #expect(line.count == StrangerLine.maximumWaiting && line.next() == nil)
        let newcomer = ids(1)[0]
        line.heard(newcomer, at: host(9))
        #expect(line.next()?.peer == newcomer)
        #expect(line.next() == nil, "the flood has the places that it may have")
    }

    /// By IPv6 all neighbours are in one /56: a flood from one address of it, or from many, keeps nobody elsewhere waiting.
    @Test(arguments: [0xfd00_0000_0000_0000, 0x2a00_0001_0002_0300] as [UInt64])
    func aFloodByIPv6KeepsNobodyElsewhereWaiting(network: UInt64) {
        func address(_ low: UInt64) -> IPAddress { .v6(high: network, low: low) }
        var line = StrangerLine()
        func flood(from places: UInt64) -> Int {
            for (number, peer) in ids(200).enumerated() { line.heard(peer, at: address(UInt64(number) % places)) }
            var dialled = 0
            while line.next() != nil { dialled += 1 }
            return dialled
        }
        #expect(flood(from: 1) == StrangerLine.maximumRunningPerHost)
        let newcomers = ids(2)
        line.heard(newcomers[0], at: address(1000))
        #expect(line.next()?.peer == newcomers[0], "a neighbour")
        let more = StrangerLine.maximumRunningPerNetwork - StrangerLine.maximumRunningPerHost - 1
        #expect(flood(from: 100) == more)
        line.heard(newcomers[1], at: host(1))
        #expect(line.next()?.peer == newcomers[1], "a neighbour by IPv4")
        line.ended(newcomers[0])
        #expect(line.next() != nil && line.next() == nil, "one has ended, so there is room for one")
    }

    @Test func whoeverWasHeardOfLastComesFirst() {
        var line = StrangerLine()
        let peers = ids(4)
        for (number, peer) in peers.enumerated() { line.heard(peer, at: host(number)) }
        line.heard(peers[1], at: host(1))
        #expect((0..<4).map { _ in line.next()?.peer } == [peers[1], peers[3], peers[2], peers[0]])
        #expect(line.next() == nil && line.count == 0)
    }

    @Test func thoseThatAreTriedAgainComeBehindAllNews() {
        var line = StrangerLine()
        let peers = ids(4)
        line.again(peers[0], at: nil)
        line.again(peers[1], at: nil)
        line.heard(peers[2], at: nil)
        line.heard(peers[3], at: nil)
        line.again(peers[3], at: nil)
        #expect((0..<4).map { _ in line.next()?.peer } == [peers[3], peers[2], peers[0], peers[1]])
    }

    @Test func nobodyIsDialledTwiceAtATime() {
        var line = StrangerLine()
        let peer = ids(1)[0]
        line.heard(peer, at: host(1))
        #expect(line.next()?.peer == peer)
        line.heard(peer, at: host(1))
        line.again(peer, at: host(2))
        #expect(line.next() == nil)
        line.ended(peer)
        line.ended(peer)
        line.again(peer, at: host(2))
        #expect(line.next()?.peer == peer)
    }

    @Test func dialsAreBoundedInAllAndOfEachHost() {
        var line = StrangerLine()
        for (number, peer) in ids(100).enumerated() { line.heard(peer, at: number < 50 ? host(1) : nil) }
        var running: [PeerID] = []
        while let turn = line.next() { running.append(turn.peer) }
        #expect(running.count == 2 * StrangerLine.maximumRunningPerHost)
        for (number, peer) in ids(100).enumerated() { line.heard(peer, at: host(2 + number)) }
        while let turn = line.next() { running.append(turn.peer) }
        #expect(running.count == StrangerLine.maximumRunning)
        for peer in running { line.ended(peer) }
        var again = 0
        while line.next() != nil { again += 1 }
        #expect(again == StrangerLine.maximumRunning)
    }

    /// At the bound the last gives way to news, and there is no room for those that are tried again.
    @Test func whoWaitsIsBounded() {
        var line = StrangerLine()
        let (peers, late) = (ids(StrangerLine.maximumWaiting), ids(2))
        for (number, peer) in peers.enumerated() { line.heard(peer, at: host(number)) }
        line.again(late[0], at: nil)
        line.heard(late[1], at: nil)
        #expect(line.count == StrangerLine.maximumWaiting)
        var served: [PeerID] = []
        while let turn = line.next() {
            #expect(turn.isShort == (StrangerLine.maximumWaiting - served.count > StrangerLine.maximumRunning))
            served.append(turn.peer)
            line.ended(turn.peer)
        }
        #expect(served == [late[1]] + peers.dropFirst().reversed())
    }

    @Test func theDialsRunUntilTheyAreCancelled() async {
        let dials = StrangerDials()
        let peers = ids(40)
        let (dialled, continuation) = AsyncStream.makeStream(of: PeerID.self)
        let open = Mutex((now: 0, most: 0))
        for (number, peer) in peers.enumerated() { dials.heard(peer, at: host(number)) }
        let run = Task {
            await dials.run { peer, _ in
                open.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                await Task.yield()
                open.withLock { $0.now -= 1 }
                continuation.yield(peer)
            }
        }
        var seen: Set<PeerID> = []
        for await peer in dialled {
            #expect(seen.insert(peer).inserted)
            if seen.count == peers.count { break }
        }
        #expect(seen == Set(peers) && open.withLock { $0.most } <= StrangerLine.maximumRunning)
        run.cancel()
        await run.value
    }
}
