import GoopTestKit
import P2PCore
import Testing

@Suite("When a peer that did not answer identify is asked again") struct IdentifyRetryTests {
    private func waits(_ limits: IdentifyLimits, seed: UInt64) -> [Duration] {
        var random = SeededGenerator(seed: seed)
        var retry = IdentifyRetry(limits: limits)
        var waits: [Duration] = []
        while let wait = retry.failed(using: &random), waits.count < 100 { waits.append(wait) }
        return waits
    }

    @Test("waits double up to the longest, give or take a fifth, and come to an end", arguments: UInt64(1)...8)
    func waits(seed: UInt64) {
        let waits = self.waits(IdentifyLimits(), seed: seed)
        let expected: [Duration] = [1, 2, 4, 8, 16, 32, 60].map { .seconds($0) }
        #expect(waits.count == expected.count, "eight questions")
        for (wait, middle) in zip(waits, expected) {
            #expect(wait >= middle * 0.8 && wait < middle * 1.2, "seed \(seed)")
        }
    }

    @Test("a link that loses everything for six seconds is asked over at least twice more within the next twenty")
    func lossAtTheStart() {
        // The first question runs into its time; whatever is asked after that, each question may take as long.
        let limits = IdentifyLimits()
        var asked: [Duration] = []
        var now = limits.timeout
        for wait in self.waits(limits, seed: 7) {
            now += wait
            asked.append(now)
            now += limits.timeout
        }
        #expect(asked.filter { $0 > .seconds(5) && $0 < .seconds(26) }.count >= 2)
    }

    @Test("one question is allowed: then none follows")
    func once() {
        var limits = IdentifyLimits()
        limits.attempts = 1
        #expect(self.waits(limits, seed: 1).isEmpty)
    }
}
