import Testing

@testable import P2PSwarm

@Suite struct ReadPacingTests {
    private let largest = 256 * 1024

    @Test("large frames are read in large pieces")
    func bulk() {
        var pacing = ReadPacing(largestLimit: largest)
        for frames: UInt64 in [0, 1, 4, 8, 16, 17, 64] {
            let changed = pacing.turnEnded(frames: frames)
            #expect(!changed && pacing.limit == largest)
        }
    }

    @Test("a read of thousands of frames is followed by one of as many bytes as sixty-four of them have")
    func flood() {
        var pacing = ReadPacing(largestLimit: largest)
        var changes: [Bool] = []
        var limits: [Int] = []
        for frames: UInt64 in [4_096, 64, 65] {
            changes.append(pacing.turnEnded(frames: frames))
            limits.append(pacing.limit)
        }
        #expect(changes == [true, false, true])
        #expect(limits == [largest / 64, largest / 64, largest / 128])
    }

    @Test("it never falls below the smallest nor rises above the largest, whatever comes")
    func bounds() {
        var pacing = ReadPacing(largestLimit: largest)
        for frames: UInt64 in [.max, .max, 1_000_000, 65] {
            _ = pacing.turnEnded(frames: frames)
            #expect(pacing.limit == ReadPacing.smallestLimit)
        }
        let changes = (0..<8).map { _ in pacing.turnEnded(frames: 0) }
        #expect(changes == Array(repeating: true, count: 7) + [false])
        #expect(pacing.limit == largest)
    }
}
