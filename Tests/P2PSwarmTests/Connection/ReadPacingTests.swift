import Testing

@testable import P2PSwarm

@Suite struct ReadPacingTests {
    private let largest = 256 * 1024

    @Test("large frames are read in large pieces")
    func bulk() {
        var pacing = ReadPacing(largestLimit: largest)
        for frames: UInt64 in [0, 1, 4, 8, 16, 17, 64] { #expect(!pacing.turnEnded(frames: frames)) }
        #expect(pacing.limit == largest)
    }

    @Test("a read of thousands of frames is followed by one of as many bytes as sixty-four of them have")
    func flood() {
        var pacing = ReadPacing(largestLimit: largest)
        #expect(pacing.turnEnded(frames: 4_096))
        #expect(pacing.limit == largest / 64)
        #expect(!pacing.turnEnded(frames: 64))
        #expect(pacing.turnEnded(frames: 65))
        #expect(pacing.limit == largest / 128)
    }

    @Test("it never falls below the smallest nor rises above the largest, whatever comes")
    func bounds() {
        var pacing = ReadPacing(largestLimit: largest)
        for frames: UInt64 in [.max, .max, 1_000_000, 65] {
            _ = pacing.turnEnded(frames: frames)
            #expect(pacing.limit == ReadPacing.smallestLimit)
        }
        for _ in 0..<7 { #expect(pacing.turnEnded(frames: 0)) }
        #expect(pacing.limit == largest)
        #expect(!pacing.turnEnded(frames: 0))
    }
}
