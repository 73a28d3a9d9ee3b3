/// Why a multiaddr was refused.
public enum MultiaddrError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No component at all.
    case empty
    /// Text that does not begin with `/`.
    case missingLeadingSlash
    /// More bytes than `limit`, in the text or in the binary form.
    case tooLong(limit: Int)
    /// A name in text that is not in the table; cut to 64 characters.
    case unknownName(String)
    /// A code in the binary form that is not in the table.
    case unknownCode(UInt64)
    /// The text ends behind a protocol that needs a value.
    case missingValue(MultiaddrProtocol)
    /// A value that the protocol does not allow.
    case invalidValue(MultiaddrProtocol)
    /// The binary form ends inside a component, or a number in it is no varint.
    case varint(VarintError)

    /// For people and logs.
    public var description: String {
        switch self {
        case .empty: "the address is empty; \(Self.example)"
        case .missingLeadingSlash: "an address begins with a slash; \(Self.example)"
        case .tooLong(let limit): "the address is longer than \(limit) bytes"
        case .unknownName(let name): "no part of an address is called \(escaped(name)); \(Self.example)"
        case .unknownCode(let code): "no part of an address has the code \(code)"
        case .missingValue(let name): "the address ends where a value of /\(name.name) has to follow"
        case .invalidValue(let name): "the value of /\(name.name) in the address is not one that it can have"
        case .varint(let error): "the address cannot be read: \(error)"
        }
    }

    private static let example = "an example: /ip4/192.0.2.1/tcp/4001"
}

/// Text from outside, without quotation marks and with its control characters spelt out.
private func escaped(_ text: String) -> Substring { text.debugDescription.dropFirst().dropLast() }
