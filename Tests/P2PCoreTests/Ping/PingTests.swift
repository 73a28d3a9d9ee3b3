import GoopTestKit
import P2PCore
import Testing

@Suite("Ping")
struct PingTests {
    @Test("whole blocks are echoed, cut anywhere", arguments: [1, 5, 31, 32, 33, 96])
    func echo(chunk: Int) {
        var responder = PingResponder(now: .zero)
        let sent = (0..<96).map { UInt8($0) }
        var echoed: [UInt8] = []
        var rest = sent[...]
        while !rest.isEmpty {
            if case .echo(let bytes) = responder.received(rest.prefix(chunk), now: .zero) { echoed += bytes }
            rest = rest.dropFirst(chunk)
        }
        #expect(echoed == sent)
    }

    @Test("a flood is reset; the same number over time is not")
    func flood() {
        let block = [UInt8](repeating: 0, count: 32)
        var responder = PingResponder(maximumPerSecond: 3, now: .zero)
        for second in 0..<9 {
            let now = MonotonicInstant(nanoseconds: UInt64(second / 3) * 1_000_000_000)
            #expect(responder.received(block, now: now) == .echo(block))
        }
        #expect(responder.received(block, now: MonotonicInstant(nanoseconds: 2_100_000_000)) == .reset)
    }

    @Test("unless somebody says otherwise, a thousand a second are answered")
    func defaultRate() {
        let thousand = [UInt8](repeating: 0, count: 32 * 1_000)
        var responder = PingResponder(now: .zero)
        #expect(responder.received(thousand, now: .zero) == .echo(thousand))
        #expect(responder.received(thousand.prefix(32), now: .zero) == .reset)
    }

    @Test("a probe accepts its own bytes only")
    func probe() {
        var generator = SeededGenerator(seed: 1)
        var probe = PingProbe(using: &generator)
        let sent = probe.payload
        #expect(sent.count == 32)
        #expect(probe.answered(sent.prefix(10)) == false)
        #expect(probe.answered(sent.dropFirst(10)) == true)
        #expect(probe.answered([0]) == nil)
        var second = PingProbe(using: &generator)
        #expect(second.answered(sent) == nil)
    }
}
