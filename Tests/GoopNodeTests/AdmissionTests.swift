import GoopCore
import PeerIdentity
import Testing

@testable import GoopNode

/// Places to ask from, and to be answered.
@Suite struct AdmissionTests {
    private let holder = ShareHolder(PrivateKey.generate().peerID, at: nil)

    private func expect(
        _ admission: Admission, asking: Int, answered: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let counts = admission.counts
        #expect(counts.asking == asking && counts.answered == answered, "\(counts)", sourceLocation: sourceLocation)
    }

    @Test func aSecondTimeChangesNothing() throws {
        let admission = Admission(Shares(total: 64, perPeer: 8, floor: 4))
        let turn = try #require(admission.turn(for: holder))
        expect(admission, asking: 1, answered: 0)
        for _ in 0..<2 {
            let isAnswered = turn.hasAsked()
            #expect(isAnswered)
            expect(admission, asking: 0, answered: 1)
        }
        for _ in 0..<2 {
            turn.end()
            expect(admission, asking: 0, answered: 0)
            let isAnswered = turn.hasAsked()
            #expect(!isAnswered)
        }
    }

    @Test func whoeverIsNotAnsweredHasNoPlace() throws {
        let admission = Admission(Shares(total: 64, perPeer: 1, floor: 1))
        let first = try #require(admission.turn(for: holder))
        let isAnswered = first.hasAsked()
        #expect(isAnswered)
        let second = try #require(admission.turn(for: holder))
        for _ in 0..<2 {
            let isAnswered = second.hasAsked()
            #expect(!isAnswered)
            expect(admission, asking: 0, answered: 1)
        }
        first.end()
        second.end()
        expect(admission, asking: 0, answered: 0)
    }
}
