/// Links and relays of known properties for `bench/`, in user space: this machine's kernel has no `netem`.
///
///     link-shaper link NAME-A NAME-B DELAY-MS LOSS-PERCENT MBIT   two TUN devices with a link between them; root
///     link-shaper relay unix:PATH|tcp:PORT unix:PATH|tcp:PORT     what two daemons do, without doing anything
///
/// Prints `ready`, and ends when its standard input does.
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
        default:
            print(
                "usage: link-shaper link A B DELAY-MS LOSS-PERCENT MBIT | relay unix:PATH|tcp:PORT unix:PATH|tcp:PORT")
        }
    }
}
