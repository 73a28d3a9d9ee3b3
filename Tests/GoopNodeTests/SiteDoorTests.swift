import GoopCore
import LibP2P
import Synchronization
import Testing

@testable import GoopNode

/// Who is let in, who is inside, and who is shown out.
@Suite(.timeLimit(.minutes(1))) struct SiteDoorTests {
    private let ada = PrivateKey.generate().peerID
    private let bob = PrivateKey.generate().peerID

    @Test func whoIsNotNamedDoesNotComeInAndWhoIsInsideIsShownOutOnce() throws {
        let door = SiteDoor()
        let out = Mutex<[String]>([])
        let page = try #require(door.enter(ada, .watch) { out.withLock { $0.append("ada") } })
        let file = try #require(door.enter(bob, .file) { out.withLock { $0.append("bob") } })
        door.open(to: .named([bob]))
        door.open(to: .named([bob]))
        #expect(out.withLock { $0 } == ["ada"])
        #expect(!door.isInside(page) && door.isInside(file))
        #expect(door.enter(ada, .file) {} == nil)
        door.leave(page)
        #expect(door.visitors.first { $0.peer == ada }?.isHere == false)
        door.open(to: .named([]))
        #expect(out.withLock { $0 } == ["ada", "bob"])
        door.open(to: .everyone)
        #expect(door.enter(ada, .file) {} != nil)
    }

    @Test func visitorsAreListedWithWhatTheyRead() throws {
        let door = SiteDoor()
        let file = try #require(door.enter(ada, .file) {})
        door.asked("/a.html", in: file)
        let page = try #require(door.enter(ada, .subscription) {})
        #expect(door.visitors.count == 1)
        let first = try #require(door.visitors.first)
        #expect(first.path == "/a.html" && first.openAnswers == 1 && first.openPages == 1 && first.requests == 1)
        door.leave(file)
        door.leave(file)
        door.leave(page)
        #expect(door.visitors.first?.isHere == false)
    }

    @Test func listenersHearOfChangesAndAreBounded() async throws {
        let door = SiteDoor()
        var changes = door.changes().makeAsyncIterator()
        door.open(to: .named([]))
        #expect(await changes.next() != nil)
        _ = try #require(
            {
                door.open(to: .everyone); return door.enter(ada, .file) {}
            }())
        #expect(await changes.next() != nil)
        var held: [AsyncStream<Void>] = []
        for _ in 0..<SiteDoor.maximumListeners { held.append(door.changes()) }
        var beyond = door.changes().makeAsyncIterator()
        #expect(await beyond.next() == nil)
        held = []
        var again = door.changes().makeAsyncIterator()
        door.open(to: .everyone)
        #expect(await again.next() != nil)
    }
}
