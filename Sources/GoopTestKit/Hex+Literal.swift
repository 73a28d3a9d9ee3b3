import Multiformats

/// The bytes of hexadecimal text in a test; spaces and line ends are ignored.
///
/// A test's own mistake in the text stops it here.
public func hex(_ text: String) -> [UInt8] {
    do {
        return try Hex.decode(text.filter { !$0.isWhitespace })
    } catch {
        preconditionFailure("not hexadecimal: \(error)")
    }
}
