import P2PCore
import Testing

@Suite struct BasicsTests {
    @Test func instantsAddAndSubtract() {
        let start = MonotonicInstant(nanoseconds: 1_500_000_000)
        let later = start.advanced(by: .milliseconds(2_750))
        #expect(later.nanoseconds == 4_250_000_000)
        #expect(start.duration(to: later) == .milliseconds(2_750))
        #expect(later.duration(to: start) == .milliseconds(-2_750))
        #expect(later.advanced(by: .milliseconds(-2_750)) == start)
        #expect(start < later)
    }

    @Test func instantsStopAtTheEnds() {
        let last = MonotonicInstant(nanoseconds: .max)
        #expect(last.advanced(by: .nanoseconds(1)) == last)
        #expect(MonotonicInstant.zero.advanced(by: .seconds(Int64.max)).nanoseconds == UInt64(Int64.max))
        #expect(last.advanced(by: .seconds(Int64.max)) == last)
        #expect(MonotonicInstant.zero.advanced(by: .seconds(-1)) == .zero)
        #expect(MonotonicInstant.zero.advanced(by: .seconds(Int64.min)) == .zero)
        #expect(MonotonicInstant.zero.duration(to: last) == .seconds(18_446_744_073) + .nanoseconds(709_551_615))
    }

    @Test func names() {
        let ping: ProtocolID = "/ipfs/ping/1.0.0"
        #expect(ping == ProtocolID("/ipfs/ping/1.0.0") && "\(ping)" == ping.name)
        // Equal to Unicode: the Kelvin sign, and two marks in the other order, which takes as many bytes.
        #expect(Set<ProtocolID>(["/K", "/\u{212A}"]).count == 2)
        #expect(Set<ProtocolID>(["/a\u{323}\u{307}", "/a\u{307}\u{323}"]).count == 2)
        #expect(Set<ProtocolID>(["/a", ProtocolID(["/", "a"].joined())]).count == 1)
    }
}
