/// Why a multiaddr was refused.
public enum MultiaddrError: Error, Equatable, Sendable {
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
}
