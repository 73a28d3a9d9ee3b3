import Multiformats

/// The bytes of hexadecimal text in a test; spaces and line ends are ignored.
///
/// A test's own mistake in the text stops it here.
public func hex(_ text: String) -> [UInt8] {
    let bytes = try? Hex.decode(text.filter { !$0.isWhitespace })
    precondition(bytes != nil, "not hexadecimal: \(text)")
    return bytes ?? []
}
