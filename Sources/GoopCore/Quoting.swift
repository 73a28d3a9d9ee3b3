/// Quotes for readers that know codes and no characters, as SQL and shells are.
extension StringProtocol {
    /// The text with something else in place of a quote, wherever one stands. To Swift a quote and an accent behind it are one
    /// character, which is no quote; whoever reads the text sees the quote all the same.
    package func escaping(_ quote: Unicode.Scalar, as escape: String) -> String {
        // Of names there is hardly one with a quote, and some are quoted for every row.
        guard unicodeScalars.contains(quote) else { return String(self) }
        var result = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalar == quote { result.append(contentsOf: escape.unicodeScalars) } else { result.append(scalar) }
        }
        return String(result)
    }
}
