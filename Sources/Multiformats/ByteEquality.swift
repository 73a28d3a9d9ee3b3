// `String` holds for equal what Unicode does: "K" and the Kelvin sign, an accented letter in one piece and in two. Names that
// travel are bytes, and every other implementation compares them so.
extension String {
    /// True if both have the same UTF-8 bytes.
    package func hasBytes(of other: String) -> Bool {
        var (left, right) = (self, other)
        return left.withUTF8 { left in
            right.withUTF8 { right in left.count == right.count && left.elementsEqual(right) }
        }
    }

    /// Feeds the UTF-8 bytes.
    package func hashBytes(into hasher: inout Hasher) {
        var text = self
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
