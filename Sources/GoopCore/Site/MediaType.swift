/// Media types by file name extension.
///
/// The table is made of a maintained list by `scripts/media-types`. What a browser runs has its type from that script alone.
public enum MediaType {
    /// What is said of a file whose extension is not in the table: a browser stores such a file and does not look into it.
    public static let unknown = "application/octet-stream"

    /// The media type for a file name, by the letters after its last dot in any case; text types name their charset.
    public static func ofFile(named name: some StringProtocol) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return unknown }
        return table[name[name.index(after: dot)...].lowercased()] ?? unknown
    }

    /// Types by extension.
    static let table: [String: String] = {
        var table: [String: String] = [:]
        for line in MediaTypeTable.text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let end = words.firstIndex(where: { $0.hasSuffix(":") }) else { continue }
            let type = words[...end].joined(separator: " ").dropLast()
            for name in words[(end + 1)...] { table[String(name)] = String(type) }
        }
        return table
    }()
}
