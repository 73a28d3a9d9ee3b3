import Multiformats

/// What is wrong with the command line, and what to do about it.
enum DaemonOptionError: Error, Equatable, CustomStringConvertible {
    case unknownFlag(String, nearest: String?)
    case missingValue(DaemonFlag)
    case invalidValue(DaemonFlag, value: String, expected: String)
    case unexpectedArgument(String)
    case noSecurity
    case noUsableAddress

    var description: String {
        switch self {
        case .unknownFlag(let name, let nearest?): "unknown flag -\(name): did you mean -\(nearest)?"
        case .unknownFlag(let name, nil): "unknown flag -\(name): -help lists those there are"
        case .missingValue(let flag): "flag -\(flag.rawValue) needs a value behind it"
        case .invalidValue(let flag, let value, let expected): "-\(flag.rawValue) is \(value): expected \(expected)"
        case .unexpectedArgument(let text): "unexpected argument \(text): flags begin with -"
        case .noSecurity: "-noise=false and -tls=false leave no way to secure a connection: leave one on"
        case .noUsableAddress: "-hostAddrs holds no TCP address, and the daemon has no other transport: add one"
        }
    }
}

/// The command line of the daemon.
///
/// Flags are in Go's style: `-x value`, `-x=value`, with one dash or two; booleans are `-x` or `-x=false`. Of a flag that is
/// given twice the last counts.
struct DaemonOptions: Equatable {
    /// Where clients of the control protocol connect.
    var control: ControlAddress
    /// The file of the private key; without one there is a new key at each start.
    var keyFile: String?
    /// Where other peers connect.
    var hostAddresses: [Multiaddr] = []
    /// What is told to other peers instead of the listen addresses.
    var announcedAddresses: [Multiaddr] = []
    var offersNoise = true
    var offersTLS = true
    var hasPubSub = false
    /// The connection manager's marks; `nil` without `-connManager`.
    var connectionMarks: ConnectionMarks?
    /// The file for a line about each frame; `nil` for none.
    var frameLog: String?
    var isQuiet = false
    var wantsHelp = false
    /// Flags and addresses that were accepted without effect, with the reason: one line each for standard error.
    var notices: [String] = []

    /// When the connection manager trims, to how many connections, and which it spares.
    struct ConnectionMarks: Equatable {
        var low = 256
        var high = 512
        var grace = Duration.seconds(120)
    }

    /// Reads the arguments behind the program's name.
    init(arguments: [String]) throws(DaemonOptionError) {
        control = Self.defaultControl
        var marks = ConnectionMarks()
        var managesConnections = false
        var host: [Multiaddr]?
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let (flag, attached) = try Self.split(argument)
            if flag.isBoolean {
                let isOn = try Self.boolean(flag, attached)
                switch flag {
                case .noise: offersNoise = isOn
                case .tls: offersTLS = isOn
                case .pubsub: hasPubSub = isOn
                case .connManager: managesConnections = isOn
                case .q: isQuiet = isOn
                case .help, .h: wantsHelp = isOn
                default: if isOn { noteWithoutEffect(flag) }
                }
                continue
            }
            guard let value = attached ?? rest.popFirst() else { throw .missingValue(flag) }
            switch flag {
            case .listen: control = try Self.controlAddress(flag, value)
            case .id: keyFile = value
            case .hostAddrs: host = try Self.addresses(flag, value)
            case .announceAddrs: announcedAddresses = try Self.addresses(flag, value)
            case .muxer:
                guard value == "yamux" else { throw .invalidValue(flag, value: value, expected: "yamux") }
            case .pubsubRouter:
                guard value == "gossipsub" else { throw .invalidValue(flag, value: value, expected: "gossipsub") }
            case .frameLog: frameLog = value
            case .connLo: marks.low = try Self.count(flag, value)
            case .connHi: marks.high = try Self.count(flag, value)
            case .connGrace: marks.grace = try Self.duration(flag, value)
            case .idleTimeout:
                if try Self.duration(flag, value) != .zero { noteWithoutEffect(flag) }
            default: noteWithoutEffect(flag)
            }
        }
        guard marks.low <= marks.high else {
            throw .invalidValue(.connLo, value: String(marks.low), expected: "at most -connHi, \(marks.high)")
        }
        if managesConnections { connectionMarks = marks }
        guard offersNoise || offersTLS else { throw .noSecurity }
        try takeHostAddresses(host ?? Self.defaultHost)
    }

    static let defaultControl = ControlAddress.unix(path: "/tmp/p2pd.sock")
    static let defaultHost = [
        Multiaddr(ip: .v4(0), tcpPort: 0), Multiaddr(ip: .v6(high: 0, low: 0), tcpPort: 0),
    ]

    private mutating func noteWithoutEffect(_ flag: DaemonFlag) {
        guard let reason = flag.reasonWithoutEffect else { return }
        notices.append("-\(flag.rawValue) has no effect: \(reason)")
    }

    private mutating func takeHostAddresses(_ addresses: [Multiaddr]) throws(DaemonOptionError) {
        for address in addresses {
            if address.tcpPort != nil && address.components.count == 2 {
                hostAddresses.append(address)
            } else {
                notices.append("-hostAddrs \(address) has no effect: the daemon listens on plain TCP only")
            }
        }
        guard !hostAddresses.isEmpty else { throw .noUsableAddress }
    }
}

// MARK: - Values

extension DaemonOptions {
    private static func split(_ argument: String) throws(DaemonOptionError) -> (DaemonFlag, attached: String?) {
        let name = argument.hasPrefix("--") ? argument.dropFirst(2) : argument.dropFirst(1)
        guard argument.hasPrefix("-"), !name.isEmpty else { throw .unexpectedArgument(argument) }
        let parts = name.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let key = String(parts[0])
        guard let flag = DaemonFlag(rawValue: key) else {
            throw .unknownFlag(key, nearest: DaemonFlag.nearest(to: key)?.rawValue)
        }
        return (flag, parts.count > 1 ? String(parts[1]) : nil)
    }

    private static func boolean(_ flag: DaemonFlag, _ text: String?) throws(DaemonOptionError) -> Bool {
        switch text {
        case nil, "true"?, "1"?, "t"?, "T"?, "TRUE"?, "True"?: return true
        case "false"?, "0"?, "f"?, "F"?, "FALSE"?, "False"?: return false
        case let other?: throw .invalidValue(flag, value: other, expected: "true or false")
        }
    }

    private static func address(_ flag: DaemonFlag, _ text: String) throws(DaemonOptionError) -> Multiaddr {
        guard let address = Multiaddr(text) else {
            throw .invalidValue(flag, value: text, expected: "a multiaddr, such as /ip4/127.0.0.1/tcp/4001")
        }
        return address
    }

    private static func controlAddress(_ flag: DaemonFlag, _ text: String) throws(DaemonOptionError) -> ControlAddress {
        guard let address = ControlAddress(try address(flag, text)) else {
            throw .invalidValue(flag, value: text, expected: "/unix/PATH, or /ip4/ADDRESS/tcp/PORT")
        }
        return address
    }

    private static func addresses(_ flag: DaemonFlag, _ text: String) throws(DaemonOptionError) -> [Multiaddr] {
        var addresses: [Multiaddr] = []
        for part in text.split(separator: ",") { addresses.append(try address(flag, String(part))) }
        return addresses
    }

    private static func count(_ flag: DaemonFlag, _ text: String) throws(DaemonOptionError) -> Int {
        guard let count = Int(text), count >= 0 else {
            throw .invalidValue(flag, value: text, expected: "a number of connections")
        }
        return count
    }

    /// Reads a duration in Go's notation: numbers with `h`, `m`, `s` or `ms`, one behind the other, or `0`.
    private static func duration(_ flag: DaemonFlag, _ text: String) throws(DaemonOptionError) -> Duration {
        if text == "0" { return .zero }
        let units: [Substring: Int64] = ["h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1]
        var total: Int64 = 0
        var rest = text[...]
        var isValid = !rest.isEmpty
        while isValid, !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            let unit = rest.dropFirst(digits.count).prefix { $0.isLetter }
            // Nine digits of hours stay far below the range of the sum.
            if digits.count <= 9, let amount = Int64(digits), let scale = units[unit], total < .max / 4 {
                total += amount * scale
            } else {
                isValid = false
            }
            rest = rest.dropFirst(digits.count + unit.count)
        }
        guard isValid else { throw .invalidValue(flag, value: text, expected: "a duration such as 20s or 1m30s") }
        return .milliseconds(total)
    }
}
