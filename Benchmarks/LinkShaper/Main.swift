/// Links and relays of known properties for `bench/`, in user space: this machine's kernel has no `netem`.
///
///     link-shaper link NAME-A NAME-B DELAY-MS LOSS-PERCENT MBIT   two TUN devices with a link between them; root
///     link-shaper relay unix:PATH|tcp:PORT unix:PATH|tcp:PORT     what two daemons do, without doing anything
///     link-shaper drive unix:PATH|tcp:PORT unix:PATH [REQUEST]    times echoes and opens through daemons or relays
///
/// Prints `ready`. `link` and `relay` end when their standard input does. `drive` waits for a line there and prints two medians in
/// microseconds: a 32-byte echo, and a stream opened with one byte there and back. REQUEST, in hexadecimal, opens a stream.
@main
struct LinkShaper {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "link" where arguments.count == 6:
            guard let delay = Double(arguments[3]), let loss = Double(arguments[4]), let rate = Double(arguments[5])
            else { throw SystemFailure(call: "arguments", code: 0) }
            var link = try Link(arguments[1], arguments[2], delay: delay, loss: loss, megabits: rate)
            print("ready")
            try link.run()
        case "relay" where arguments.count == 3:
            guard let from = RelayEnd(arguments[1]), let to = RelayEnd(arguments[2]) else {
                throw SystemFailure(call: "arguments", code: 0)
            }
            try Relay(from: from, to: to).run()
        case "drive" where arguments.count == 3 || arguments.count == 4:
            guard let front = RelayEnd(arguments[1]), let back = RelayEnd(arguments[2]),
                let request = bytes(arguments.count == 4 ? arguments[3] : "")
            else { throw SystemFailure(call: "arguments", code: 0) }
            try Drive(front: front, back: back, request: request).run()
        default:
            print(
                "usage: link-shaper link A B DELAY-MS LOSS-PERCENT MBIT | relay END END | drive END unix:PATH [REQUEST]",
                "\nEND: unix:PATH or tcp:PORT", separator: "")
        }
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8]? {
        let digits = hexadecimal.compactMap(\.hexDigitValue)
        guard digits.count == hexadecimal.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
