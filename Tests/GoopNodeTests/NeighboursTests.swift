import Multiformats
import PeerIdentity
import Testing

@testable import GoopNode

@Suite struct NeighboursTests {
    private let start = ContinuousClock.now
    private let stranger = PrivateKey.generate().peerID
    private let favourite = PrivateKey.generate().peerID
    private let contact = PrivateKey.generate().peerID

    private func everybody() -> Neighbours {
        let neighbours = Neighbours()
        neighbours.keep(favourite, true)
        neighbours.name(contact)
        for peer in [stranger, favourite, contact] { neighbours.saw(peer, now: start) }
        return neighbours
    }

    /// A contact that is switched off over lunch, and one whose link fails after a day, are tried until they are back.
    @Test func whomTheOwnerChoseIsTriedForAsLongAsItIsKept() {
        let neighbours = everybody()
        #expect(Set(neighbours.current(now: start + .seconds(599))) == [stranger, favourite, contact])
        neighbours.met(stranger)
        #expect(Set(neighbours.current(now: start + .seconds(601))) == [favourite, contact])
        #expect(Set(neighbours.current(now: start + .seconds(7 * 86_400))) == [favourite, contact])
        neighbours.keep(favourite, false)
        #expect(neighbours.current(now: start + .seconds(7 * 86_400)) == [contact])
    }

    /// It was named at the start, whatever the owner thinks of it since.
    @Test func aContactThatIsNoFavouriteAnyMoreIsStillOne() {
        let neighbours = everybody()
        neighbours.keep(contact, true)
        neighbours.keep(contact, false)
        #expect(neighbours.standing(of: contact) == .chosen)
        #expect(neighbours.current(now: start + .seconds(601)).contains(contact))
    }

    /// Whoever has blocked us lets connections begin, and ends them.
    @Test func whoEndsConnectionsAsTheyBeginIsTriedLessAndLessOften() throws {
        let neighbours = everybody()
        #expect(neighbours.mayTry(stranger, now: start))
        for (seconds, pause) in [(0, 4), (5, 8), (15, 16)] {
            let end = start + .seconds(seconds)
            neighbours.parted(stranger, isShort: true, now: end)
            #expect(!neighbours.mayTry(stranger, now: end + .seconds(pause - 1)))
            #expect(neighbours.mayTry(stranger, now: end + .seconds(pause)))
        }
        #expect(neighbours.mayTry(favourite, now: start))
        // Heard again where it was, it is the same; elsewhere it may let us in.
        let late = start + .seconds(16)
        neighbours.saw(stranger, now: late)
        #expect(!neighbours.mayTry(stranger, now: late))
        neighbours.saw(stranger, at: try Multiaddr(text: "/ip4/192.168.1.9/tcp/4001").ipAddress, now: late)
        #expect(neighbours.mayTry(stranger, now: late))
        // A connection that lasted ends it, too.
        neighbours.parted(stranger, isShort: true, now: late)
        #expect(!neighbours.mayTry(stranger, now: late + .seconds(1)))
        neighbours.parted(stranger, isShort: false, now: late + .seconds(1))
        #expect(neighbours.mayTry(stranger, now: late + .seconds(1)))
        // Of strangers who are in no list nothing is kept.
        let unseen = PrivateKey.generate().peerID
        neighbours.parted(unseen, isShort: true, now: late)
        #expect(neighbours.mayTry(unseen, now: late))
    }

    @Test func aGoodbyeByMulticastEndsTheTriesOfOthersOnly() {
        let neighbours = everybody()
        for peer in [stranger, favourite, contact] { neighbours.lost(peer) }
        #expect(Set(neighbours.current(now: start)) == [favourite, contact])
    }
}
