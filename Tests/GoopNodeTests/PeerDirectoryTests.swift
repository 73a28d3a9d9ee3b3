import GoopCore
import GoopHTTP
import LibP2P
import Multiformats
import PeerIdentity
import Synchronization
import Testing

@testable import GoopNode

/// Decisions about peers against slow disks and slow peers, and who follows the list too slowly.
@Suite(.timeLimit(.minutes(1))) struct PeerDirectoryTests {
    /// A disk and a door that take as long as a test says.
    private final class Outside: Sendable {
        private struct State {
            var holdsDisk = false
            var holdsDoor = false
            var failsDisk = false
            var held: [CheckedContinuation<Void, Never>] = []
            var stored: [PeerID: PeerStanding] = [:]
            var refused: Set<PeerID> = []
        }

        struct Fault: Error {}

        private let state = Mutex(State())
        /// Whom the door keeps out, each time it was told.
        let doors: AsyncStream<Set<PeerID>>
        private let door: AsyncStream<Set<PeerID>>.Continuation
        /// Whose record a write begins with.
        let writes: AsyncStream<PeerID?>
        private let write: AsyncStream<PeerID?>.Continuation

        init() {
            (doors, door) = AsyncStream.makeStream(of: Set<PeerID>.self)
            (writes, write) = AsyncStream.makeStream(of: PeerID?.self)
        }

        var stored: [PeerID: PeerStanding] { state.withLock { $0.stored } }
        var refused: Set<PeerID> { state.withLock { $0.refused } }

        func hold(disk: Bool = false, door: Bool = false) {
            state.withLock { state in
                state.holdsDisk = disk
                state.holdsDoor = door
            }
        }

        func fail(_ fails: Bool) { state.withLock { $0.failsDisk = fails } }

        /// Lets go whoever waits, and holds nobody any more.
        func release() {
            let held = state.withLock { state in
                defer { state.held = [] }
                state.holdsDisk = false
                state.holdsDoor = false
                return state.held
            }
            for waiter in held { waiter.resume() }
        }

        private func wait(if holds: (State) -> Bool) async {
            await withCheckedContinuation { continuation in
                let mustWait = state.withLock { state in
                    guard holds(state) else { return false }
                    state.held.append(continuation)
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        }

        func save(_ peers: [KnownPeer]) async throws {
            write.yield(peers.first?.id)
            await wait { $0.holdsDisk }
            try state.withLock { state in
                guard !state.failsDisk else { throw Fault() }
                for peer in peers { state.stored[peer.id] = peer.standing }
            }
        }

        nonisolated(nonsending) func refuse(_ peers: Set<PeerID>) async {
            state.withLock { $0.refused = peers }
            door.yield(peers)
            await wait { $0.holdsDoor }
        }
    }

    private let own = PrivateKey.generate().peerID
    private let ann = PrivateKey.generate().peerID
    private let bob = PrivateKey.generate().peerID
    private let outside = Outside()

    private func directory() -> PeerDirectory {
        let outside = outside
        return PeerDirectory(
            table: PeerTable(ownID: own), records: PeerRecords(ownID: own), clock: PeerClock(),
            save: { stored, _ in try await outside.save(stored) }, perform: { _ in }
        ) { await outside.refuse($0) }
    }

    @Test func aBlockDoesNotWaitForTheDisk() async throws {
        let directory = directory()
        outside.hold(disk: true)
        async let decision = directory.decide(.standing(.blocked), about: ann)
        var doors = outside.doors.makeAsyncIterator()
        #expect(await doors.next() == [ann])
        #expect(outside.stored.isEmpty)
        outside.release()
        #expect(try await decision.standing == .blocked)
        #expect(outside.stored == [ann: .blocked])
    }

    @Test func aBlockWaitsForNoOtherPeerThatDoesNotLetGo() async throws {
        let directory = directory()
        outside.hold(door: true)
        async let first = directory.decide(.standing(.blocked), about: ann)
        var doors = outside.doors.makeAsyncIterator()
        #expect(await doors.next() == [ann])
        async let second = directory.decide(.standing(.blocked), about: bob)
        #expect(await doors.next() == [ann, bob])
        var writes = outside.writes.makeAsyncIterator()
        #expect(await writes.next() == ann)
        #expect(await writes.next() == bob)
        outside.release()
        _ = try await (first, second)
        #expect(outside.refused == [ann, bob])
        #expect(outside.stored == [ann: .blocked, bob: .blocked])
    }

    @Test func ofManyDecisionsAtOnceNoneUndoesAnother() async throws {
        let directory = directory()
        let peers = (0..<64).map { _ in PrivateKey.generate().peerID }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, peer) in peers.enumerated() {
                group.addTask {
                    _ = try await directory.decide(.standing(.blocked), about: peer)
                    if index.isMultiple(of: 2) { _ = try await directory.decide(.standing(.ordinary), about: peer) }
                }
            }
            try await group.waitForAll()
        }
        let blocked = Set(peers.enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element))
        #expect(await directory.blocked == blocked)
        #expect(outside.refused == blocked)
        #expect(Set(outside.stored.filter { $0.value == .blocked }.keys) == blocked)
    }

    @Test func theLaterOfTwoDecisionsAboutOnePeerIsTheOneOnTheDisk() async throws {
        let directory = directory()
        outside.hold(disk: true)
        async let first = directory.decide(.standing(.blocked), about: ann)
        var doors = outside.doors.makeAsyncIterator()
        #expect(await doors.next() == [ann])
        var writes = outside.writes.makeAsyncIterator()
        #expect(await writes.next() == ann)
        async let second = directory.decide(.standing(.ordinary), about: ann)
        #expect(await doors.next() == [])
        outside.release()
        _ = try await (first, second)
        #expect(outside.stored == [ann: .ordinary])
    }

    @Test func aDecisionThatCannotBeStoredIsInEffect() async throws {
        let directory = directory()
        outside.fail(true)
        await #expect(throws: Outside.Fault.self) { try await directory.decide(.standing(.blocked), about: ann) }
        #expect(outside.refused == [ann])
        outside.fail(false)
        _ = try await directory.decide(.standing(.blocked), about: bob)
        #expect(outside.stored == [bob: .blocked])
    }

    @Test func aPeerIsNamedByItsPetnameWhetherItIsListedOrNot() async throws {
        let directory = directory()
        #expect(await directory.name(of: ann) == "")
        await directory.received(
            PresenceMessage(kind: .online, peerID: ann.base58, content: "Ann", timestamp: 1), from: ann)
        #expect(await directory.name(of: ann) == "Ann")
        for peer in [ann, bob] { _ = try await directory.decide(.petname("My \(peer.base58.suffix(4))"), about: peer) }
        #expect(await directory.entry(of: bob) == nil)
        #expect(
            await directory.names(of: [ann, bob, own])
                == [ann: "My \(ann.base58.suffix(4))", bob: "My \(bob.base58.suffix(4))"])
        _ = try await directory.decide(.petname(""), about: ann)
        #expect(await directory.name(of: ann) == "Ann")
    }

    @Test func aListenerThatIsTooFarBehindIsLetGo() async throws {
        let directory = directory()
        let slow = await directory.changes()
        for _ in 0..<2000 {
            let peer = PrivateKey.generate().peerID
            await directory.received(
                PresenceMessage(kind: .online, peerID: peer.base58, content: "x", timestamp: 1), from: peer)
        }
        // It ends, so that whoever listens knows that it has to ask again.
        var count = 0
        for await _ in slow { count += 1 }
        #expect(count <= PeerDirectory.changesPerListener)
        var again = await directory.changes().makeAsyncIterator()
        let peer = PrivateKey.generate().peerID
        await directory.received(
            PresenceMessage(kind: .online, peerID: peer.base58, content: "x", timestamp: 1), from: peer)
        guard case .updated(let entry) = await again.next() else {
            Issue.record("no change")
            return
        }
        #expect(entry.id == peer)
    }

    @Test func listenersAreBounded() async {
        let directory = directory()
        var held: [AsyncStream<PeerChange>] = []
        for _ in 0..<PeerDirectory.maximumListeners { held.append(await directory.changes()) }
        #expect(held.count == 128)
        var beyond = await directory.changes().makeAsyncIterator()
        #expect(await beyond.next() == nil)
    }

    @Test func onlyWhoShowsTheOwnProfileIsLetGoWhenThatHasChanged() async {
        let directory = directory()
        var pages = await directory.changes(endWithProfile: true).makeAsyncIterator()
        var others = await directory.changes().makeAsyncIterator()
        await directory.profileChanged()
        #expect(await pages.next() == nil)
        let message = PresenceMessage(kind: .online, peerID: ann.base58, content: "Ann", timestamp: 1)
        await directory.received(message, from: ann)
        guard case .updated(let entry) = await others.next() else {
            Issue.record("no change")
            return
        }
        #expect(entry.id == ann)
    }

    @Test func theConnectionsOfFavouritesAreKeptFromTheStartAndAsTheOwnerDecides() async throws {
        let wishes = Mutex<[PeerDirectory.Request]>([])
        let away = PrivateKey.generate().peerID
        let known = [
            KnownPeer(id: ann, isFavorite: true), KnownPeer(id: bob),
            // Unblocked later it is a favourite still.
            KnownPeer(id: away, isFavorite: true, standing: .blocked),
        ]
        let directory = PeerDirectory(
            table: PeerTable(ownID: own), records: PeerRecords(ownID: own, known: known), clock: PeerClock(),
            save: { _, _ in }, perform: { wish in wishes.withLock { $0.append(wish) } }, refuse: { _ in })
        await directory.recall()
        #expect(Set(wishes.withLock { $0 }) == [.keep(ann, true), .keep(away, true)])
        wishes.withLock { $0 = [] }
        _ = try await directory.decide(.favorite(true), about: bob)
        _ = try await directory.decide(.favorite(false), about: ann)
        _ = try await directory.decide(.petname("Bob"), about: bob)
        #expect(wishes.withLock { $0 } == [.keep(bob, true), .keep(ann, false)])
    }

    @Test func aFavouriteThatWasBlockedForAWhileIsAFavouriteAgain() async throws {
        let address = Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 4001)
        let known = [
            KnownPeer(id: ann, label: "Ann", addresses: [address], isFavorite: true),
            KnownPeer(id: bob, petname: "Bob"), KnownPeer(id: PrivateKey.generate().peerID),
        ]
        let wishes = Mutex<[PeerDirectory.Request]>([])
        let directory = PeerDirectory(
            table: PeerTable(ownID: own, limits: .init(grace: .zero)), records: PeerRecords(ownID: own, known: known),
            clock: PeerClock(), save: { _, _ in }, perform: { wish in wishes.withLock { $0.append(wish) } },
            refuse: { _ in })
        for peer in known.map(\.id) {
            _ = try await directory.decide(.standing(.blocked), about: peer)
            #expect(await directory.entries.isEmpty)
        }
        var changes = await directory.changes().makeAsyncIterator()
        for peer in known.map(\.id) {
            _ = try await directory.decide(.standing(.ordinary), about: peer)
        }
        // About the others nothing was decided: they are listed when they speak.
        let listed = await directory.entries
        try #require(Set(listed.map(\.id)) == [ann, bob])
        #expect(listed.allSatisfy(\.offline) && Set(listed.filter(\.favorite).map(\.id)) == [ann])
        #expect(wishes.withLock { $0 } == [.learn(ann, [address])])
        // When the time of those who are away is over, it is still there.
        let time = Task { await directory.run() }
        while let change = await changes.next(), change != .removed(bob) {}
        #expect(await directory.entries.map(\.id) == [ann])
        time.cancel()
        await time.value
    }

    @Test func aFavouriteThatWasBlockedIsOneAlsoIfTheTableIsFull() async throws {
        let directory = PeerDirectory(
            table: PeerTable(ownID: own, limits: .init(grace: .zero, peers: 1)),
            records: PeerRecords(ownID: own, known: [KnownPeer(id: ann, isFavorite: true, standing: .blocked)]),
            clock: PeerClock(), save: { _, _ in }, perform: { _ in }, refuse: { _ in })
        func says(_ kind: PresenceMessage.Kind, _ peer: PeerID, _ timestamp: Int64) async {
            await directory.received(
                PresenceMessage(kind: kind, peerID: peer.base58, content: "x", timestamp: timestamp), from: peer)
        }
        await says(.online, bob, 1)
        _ = try await directory.decide(.standing(.ordinary), about: ann)
        #expect(await directory.entries.map(\.id) == [bob])
        // It takes the place of somebody who is away, and gives it up to nobody.
        await says(.offline, bob, 2)
        await says(.online, ann, 1)
        await says(.offline, ann, 2)
        await says(.online, bob, 3)
        #expect(await directory.entries.map(\.id) == [ann])
    }

    @Test func theNodeKeepsFavouritesOverARestart() async throws {
        let temporary = TemporaryFolder()
        var host = try await TestPeer.start(in: temporary, label: "host")
        _ = try await host.running.book.decide(.favorite(true), about: ann)
        #expect(host.running.node.isProtected(ann) && !host.running.node.isProtected(bob))
        try await host.stop()
        host = try await TestPeer.start(in: temporary, label: "host")
        #expect(host.running.node.isProtected(ann) && host.running.neighbours.standing(of: ann) == .chosen)
        _ = try await host.running.book.decide(.favorite(false), about: ann)
        #expect(!host.running.node.isProtected(ann) && host.running.neighbours.standing(of: ann) == .stranger)
        try await host.stop()
    }
}
