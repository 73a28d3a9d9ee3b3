import GoopCore
import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@testable import GoopStore

/// Who reads next, as a value.
@Suite struct ReadLineTests {
    let ada = ShareHolder(PrivateKey.generate().peerID, at: nil)
    let bob = ShareHolder(PrivateKey.generate().peerID, at: nil)
    let eve = ShareHolder(PrivateKey.generate().peerID, at: nil)

    @Test func linesTakeTurns() {
        var line = ReadLine<String>(shares: .init(readers: 1, readersPerVisitor: 1))
        #expect(line.enter("e0", of: eve) == .run)
        for number in 1..<6 { #expect(line.enter("e\(number)", of: eve) == .waits) }
        for number in 0..<2 { #expect(line.enter("a\(number)", of: ada) == .waits) }
        #expect(line.enter("b0", of: bob) == .waits)
        var order: [String] = []
        var last: ShareHolder? = eve
        while let next = line.leave(last) {
            order.append(next.job)
            last = next.of
        }
        #expect(order == ["e1", "a0", "b0", "e2", "a1", "e3", "e4", "e5"])
        #expect(line.waiting == 0 && line.running == 0)
    }

    @Test func nobodyHoldsAllReadersAndTheOwnerAlwaysHasOne() {
        var line = ReadLine<Int>(shares: .init(readers: 4, readersOfOwner: 1, readersPerVisitor: 3))
        for number in 0..<10 { #expect(line.enter(number, of: eve) == (number < 3 ? .run : .waits)) }
        #expect(line.enter(0, of: ada) == .run, "one is left for another visitor")
        #expect(line.enter(1, of: bob) == .waits)
        #expect(line.enter(2, of: nil) == .run, "and one for the owner")
        #expect(line.enter(3, of: nil) == .waits)
        // The owner's place is not a visitor's.
        #expect(line.leave(nil)?.job == 3)
        #expect(line.leave(nil) == nil)
        // Eve still holds three: her place goes to the one who has waited, not to her next.
        #expect(line.leave(ada)?.of == bob)
        #expect(line.leave(bob) == nil, "her own bound keeps hers waiting")
        #expect(line.leave(eve)?.job == 3)
    }

    /// A read of the owner may take half a minute.
    @Test func theOwnerTakesNoReaderOfVisitors() {
        var line = ReadLine<Int>(shares: .init(readers: 2, readersOfOwner: 3, readersPerVisitor: 1))
        for number in 0..<5 { #expect(line.enter(number, of: nil) == (number < 3 ? .run : .waits)) }
        #expect(line.enter(5, of: ada) == .run)
        #expect(line.enter(6, of: bob) == .run)
        #expect(line.enter(7, of: eve) == .waits)
        #expect(line.leave(nil)?.job == 3)
        #expect(line.leave(ada)?.job == 7)
    }

    @Test func linesAreBounded() {
        var line = ReadLine<Int>(
            shares: .init(
                readers: 1, readersOfOwner: 1, readersPerVisitor: 1, waiting: Shares(total: 14, perPeer: 4, floor: 1),
                waitingOfOwner: 2))
        for number in 0..<5 { #expect(line.enter(number, of: eve) == (number == 0 ? .run : .waits)) }
        #expect(line.enter(5, of: eve) == .refused(waiting: 4))
        for number in 0..<4 { #expect(line.enter(number, of: ada) == .waits) }
        for number in 0..<2 { #expect(line.enter(number, of: bob) == .waits) }
        #expect(line.enter(2, of: bob) == .refused(waiting: 10), "half of what the others left")
        // The owner has places of its own.
        #expect(line.enter(0, of: nil) == .run)
        for number in 1..<3 { #expect(line.enter(number, of: nil) == .waits) }
        #expect(line.enter(3, of: nil) == .refused(waiting: 2))
        // What is taken makes room.
        #expect(line.leave(nil)?.job == 1)
        #expect(line.enter(3, of: nil) == .waits)
        while line.leave(nil) != nil {}
        #expect(line.leave(eve)?.of == eve)
        #expect(line.enter(2, of: bob) == .waits)
        #expect(line.enter(3, of: bob) == .refused(waiting: 10))
        #expect(line.leave(eve)?.of == ada)
    }

    /// Forty keys of one host have all the places they can get; the next host's turn is the next one, and then its second visitor's.
    @Test func hostsTakeTurns() throws {
        var line = ReadLine<String>(shares: .init(readers: 1, readersPerVisitor: 1))
        let address = try #require(IPAddress("8.8.8.8"))
        let other = try #require(IPAddress("9.9.9.9"))
        let crowd = (0..<40).map { _ in ShareHolder(PrivateKey.generate().peerID, at: address) }
        #expect(line.enter("first", of: crowd[0]) == .run)
        for holder in crowd { while line.enter("crowd", of: holder) == .waits {} }
        let (ada, bob) = (
            ShareHolder(PrivateKey.generate().peerID, at: other), ShareHolder(PrivateKey.generate().peerID, at: other)
        )
        for holder in [ada, ada, bob] { #expect(line.enter(holder == ada ? "ada" : "bob", of: holder) == .waits) }
        var order: [String] = []
        var last: ShareHolder? = crowd[0]
        while order.count < 6, let next = line.leave(last) {
            order.append(next.job)
            last = next.of
        }
        #expect(order == ["crowd", "ada", "crowd", "bob", "crowd", "ada"])
    }

    @Test func whatWaitsIsTakenOutAndWhatRunsGoesOn() {
        var line = ReadLine<Int>(shares: .init(readers: 2, readersPerVisitor: 1))
        #expect(line.enter(0, of: eve) == .run)
        #expect(line.enter(1, of: ada) == .run)
        for number in 2..<5 { #expect(line.enter(number, of: eve) == .waits) }
        for number in 5..<7 { #expect(line.enter(number, of: bob) == .waits) }
        // One that is taken already is not among them.
        #expect(line.leave(ada)?.job == 5)
        #expect(line.removeWaiting().sorted() == [2, 3, 4, 6])
        #expect(line.waiting == 0 && line.running == 2)
        #expect(line.removeWaiting().isEmpty)
        for reader in [eve, bob] { #expect(line.leave(reader) == nil) }
        #expect(line.running == 0)
        #expect(line.enter(7, of: eve) == .run)
    }

    /// Any order of coming and going, from a seed: nothing is lost or done twice, no bound is passed, nobody waits while a
    /// reader that they may have is idle, and nobody is passed by more than once by another.
    @Test(arguments: 0..<20) func anyOrder(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let shares = ReadShares(
            readers: 3, readersOfOwner: 2, readersPerVisitor: 2, waiting: Shares(total: 40, perPeer: 12, floor: 2),
            waitingOfOwner: 12)
        var line = ReadLine<Int>(shares: shares)
        let readers: [ShareHolder?] = [nil, ada, bob, eve]
        var running: [(job: Int, of: ShareHolder?)] = []
        var waiting: [(job: Int, of: ShareHolder?)] = []
        var served: [Int] = []
        /// For each that waits: whom it saw served since its turn began.
        var passed: [ShareHolder: [ShareHolder: Int]] = [:]
        for job in 0..<3000 {
            if Bool.random(using: &random) || running.isEmpty {
                let reader = readers[Int.random(in: 0..<4, using: &random)]
                switch line.enter(job, of: reader) {
                case .run: running.append((job, reader))
                case .waits: waiting.append((job, reader))
                case .refused(let count):
                    #expect(count == waiting.count { ($0.of == nil) == (reader == nil) })
                    #expect(waiting.contains { $0.of == reader }, "who has nothing here finds a place")
                }
            } else {
                let done = running.remove(at: Int.random(in: 0..<running.count, using: &random))
                served.append(done.job)
                if let next = line.leave(done.of) {
                    let first = try #require(waiting.firstIndex { $0.of == next.of })
                    #expect(waiting[first].job == next.job, "in order within a line")
                    waiting.remove(at: first)
                    running.append((next.job, next.of))
                    if let winner = next.of {
                        passed[winner] = [:]
                        for other in Set(waiting.compactMap(\.of)) where other != winner {
                            let mayRun = running.count { $0.of == other } < shares.readersPerVisitor
                            if mayRun { passed[other, default: [:]][winner, default: 0] += 1 }
                            #expect(passed[other]?[winner] ?? 0 <= 1 || !mayRun, "passed by more than once")
                        }
                    }
                }
            }
            #expect(line.running == running.count && line.waiting == waiting.count)
            let owners = running.count { $0.of == nil }
            let visitors = running.count - owners
            #expect(owners <= shares.readersOfOwner && visitors <= shares.readers)
            #expect(waiting.count { $0.of != nil } <= shares.waiting.total)
            for visitor in [ada, bob, eve] {
                let own = running.count { $0.of == visitor }
                #expect(own <= shares.readersPerVisitor)
                let waits = waiting.contains { $0.of == visitor }
                #expect(!waits || own == shares.readersPerVisitor || visitors == shares.readers, "an idle reader")
            }
            #expect(!waiting.contains { $0.of == nil } || owners == shares.readersOfOwner)
        }
        #expect(Set(served).count == served.count)
    }
}
