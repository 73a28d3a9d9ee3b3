import GoopCore
import Multiformats
import PeerIdentity
import Testing

@testable import GoopStore

/// Who writes next, as a value.
@Suite struct WriteLineTests {
    let ada = ShareHolder(PrivateKey.generate().peerID, at: nil)
    let bob = ShareHolder(PrivateKey.generate().peerID, at: nil)

    @Test func linesTakeTurns() {
        var line = WriteLine<String>()
        for number in 0..<4 { #expect(line.enter("a\(number)", of: ada, cost: 1, isHeavy: false) == nil) }
        for number in 0..<2 { #expect(line.enter("b\(number)", of: bob, cost: 1, isHeavy: false) == nil) }
        #expect(line.enter("o", of: nil, cost: 1, isHeavy: false) == nil)
        var order: [String] = []
        if let first = line.first() {
            #expect(!first.isHeavy)
            order.append(first.write)
        }
        while let next = line.another() { order.append(next) }
        #expect(order == ["a0", "b0", "o", "a1", "b1", "a2", "a3"])
        #expect(line.first() == nil)
    }

    @Test func aLightWriteWaitsForOneHeavyOneAtMost() {
        var line = WriteLine<String>()
        for number in 0..<8 { #expect(line.enter("heavy \(number)", of: ada, cost: 1, isHeavy: true) == nil) }
        #expect(line.first().map { [$0.write, "\($0.isHeavy)"] } == ["heavy 0", "true"])
        #expect(line.another() == nil, "nothing shares the commit of a heavy one")
        #expect(line.enter("light", of: bob, cost: 1, isHeavy: false) == nil)
        #expect(line.enter("heavy of bob", of: bob, cost: 1, isHeavy: true) == nil)
        var order: [String] = []
        while let first = line.first() {
            order.append(first.write)
            // Light ones without an end do not keep the heavy ones from their turn.
            if order.count < 4 { #expect(line.enter("more", of: bob, cost: 1, isHeavy: false) == nil) }
        }
        #expect(
            order == [
                "light", "heavy 1", "more", "heavy of bob", "more", "heavy 2", "more", "heavy 3", "heavy 4", "heavy 5",
                "heavy 6", "heavy 7",
            ])
    }

    @Test func nobodyFillsTheLine() {
        var line = WriteLine<Int>(
            shares: WriteShares(
                writes: Shares(total: 8, perPeer: 3, floor: 1), bytes: Shares(total: 200, perPeer: 50, floor: 10),
                writesOfOwner: 3, bytesOfOwner: 60))
        for number in 0..<3 { #expect(line.enter(number, of: ada, cost: 1, isHeavy: number == 1) == nil) }
        #expect(line.enter(3, of: ada, cost: 1, isHeavy: false) == 3)
        #expect(line.enter(3, of: bob, cost: 51, isHeavy: false) == 3, "too large for one")
        for number in 4..<7 { #expect(line.enter(number, of: nil, cost: 20, isHeavy: false) == nil) }
        #expect(line.enter(9, of: nil, cost: 0, isHeavy: false) == 3, "the owner has places of its own")
        #expect(line.count == 6)
        // What is taken makes room.
        #expect(line.first()?.write == 0)
        #expect(line.enter(3, of: ada, cost: 1, isHeavy: false) == nil)
        while line.first() != nil {}
        #expect(line.enter(4, of: bob, cost: 50, isHeavy: false) == nil, "what was refused is not counted")
        #expect(line.enter(5, of: nil, cost: 61, isHeavy: false) == 0)
        #expect(line.count == 1)
    }

    /// Whoever has many keys on one host delays another host no more than one key does, and leaves it places.
    @Test(arguments: [4, 40]) func hostsTakeTurns(keys: Int) throws {
        var line = WriteLine<String>()
        let (near, far) = (try #require(IPAddress("10.0.0.1")), try #require(IPAddress("10.0.0.2")))
        for _ in 0..<keys {
            let key = ShareHolder(PrivateKey.generate().peerID, at: near)
            while line.enter("crowd", of: key, cost: 100_000, isHeavy: true) == nil {}
        }
        let ada = ShareHolder(PrivateKey.generate().peerID, at: far)
        for _ in 0..<10 { #expect(line.enter("ada", of: ada, cost: 100_000, isHeavy: true) == nil) }
        var order: [String] = []
        while order.count < 6, let next = line.first() { order.append(next.write) }
        #expect(order == ["crowd", "ada", "crowd", "ada", "crowd", "ada"])
    }

    @Test func whatWaitsIsTakenOutAndMakesRoom() {
        let small = WriteShares(
            writes: Shares(total: 12, perPeer: 4, floor: 1), bytes: Shares(total: 120, perPeer: 40, floor: 10))
        var line = WriteLine<Int>(shares: small)
        for number in 0..<4 { #expect(line.enter(number, of: ada, cost: 10, isHeavy: number > 1) == nil) }
        for number in 4..<6 { #expect(line.enter(number, of: nil, cost: 10, isHeavy: number > 4) == nil) }
        #expect(line.first()?.write == 0)
        #expect(line.removeWaiting().sorted() == [1, 2, 3, 4, 5])
        #expect(line.count == 0)
        #expect(line.another() == nil)
        #expect(line.first() == nil)
        for number in 0..<4 { #expect(line.enter(number, of: ada, cost: 10, isHeavy: false) == nil) }
        #expect(line.count == 4)
    }

    @Test func whatIsLongTakenIsNotHeld() {
        final class Thing {}
        var turns = Turns<Thing>()
        weak var first: Thing?
        do {
            let thing = Thing()
            first = thing
            turns.append(thing, of: ada)
        }
        for _ in 0..<200 { turns.append(Thing(), of: ada) }
        #expect(turns.next()?.of == ada && first == nil)
        var count = 1
        while turns.next() != nil { count += 1 }
        #expect(count == 201 && turns.isEmpty)
    }
}
