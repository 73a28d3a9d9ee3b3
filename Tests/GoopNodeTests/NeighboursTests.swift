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

    @Test func aGoodbyeByMulticastEndsTheTriesOfOthersOnly() {
        let neighbours = everybody()
        for peer in [stranger, favourite, contact] { neighbours.lost(peer) }
        #expect(Set(neighbours.current(now: start)) == [favourite, contact])
    }
}
