/// Text of strangers, fit for a terminal or a log line.
public enum TerminalText {
    /// The text without anything that could move the cursor, change colours, hide or reorder what is shown, and not
    /// longer than a line; what is taken out leaves a replacement character.
    public static func safe(_ text: String, maximumCharacters: Int = 80) -> String {
        var result = ""
        var count = 0
        for character in text {
            guard count < maximumCharacters else { return result + "…" }
            count += 1
            // Marks can be piled on a letter without end.
            let scalars = character.unicodeScalars.prefix(8)
            result += scalars.contains(where: isHarmful) ? "\u{FFFD}" : String(String.UnicodeScalarView(scalars))
        }
        return result
    }

    /// The longest name in a list of peers, in characters.
    public static let maximumName = 24

    /// A peer in a list: the petname, else the label; and where both are, what to put behind the id. A label cannot pose as a
    /// petname: only behind an id, where no label reaches, is a peer said to call itself something.
    public static func named(petname: String, label: String) -> (name: String, addition: String) {
        let label = safe(label, maximumCharacters: maximumName)
        guard !petname.isEmpty else { return (label, "") }
        return (safe(petname, maximumCharacters: maximumName), label.isEmpty ? "" : "  calls itself \(label)")
    }

    /// Somebody in a sentence: the name and the end of the id, by which one is told from another of that name; the whole id
    /// without a name.
    public static func named(_ name: String, id: String) -> String {
        let name = safe(name, maximumCharacters: maximumName)
        return name.isEmpty ? id : "\(name) (…\(id.suffix(8)))"
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        case .format: scalar != "\u{200D}"
        default: false
        }
    }

    /// The text as one word of a command line that a person copies: in quotes where a shell would read something else.
    public static func shellWord(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...:
                true
            default: "/._-+,:@%".utf8.contains(byte)
            }
        }
        if plain, !text.isEmpty { return text }
        return "'" + text.escaping("'", as: "'\\''") + "'"
    }
}

/// A stranger's file on its way to a terminal: nothing in it moves the cursor, sets a title or fills the clipboard.
public struct TerminalBytes: Sendable {
    /// The last byte was the first of the two that a C1 control code has in UTF-8; it waits for the second.
    private var hasC2 = false

    /// Nothing has been shown yet.
    public init() {}

    /// The next bytes, without control codes but line feed and tab; each leaves a replacement character.
    public mutating func safe(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        // Lines of other systems end in two codes. What is left out must not join what is around it.
        for byte in bytes where byte != 0x0D {
            let isBehindC2 = hasC2
            hasC2 = byte == 0xC2
            if isBehindC2, !(0x80...0x9F).contains(byte) { result.append(0xC2) }
            switch byte {
            case 0xC2: continue
            case 0x80...0x9F where isBehindC2: result += "\u{FFFD}".utf8
            case 0x09, 0x0A, 0x20...0x7E, 0x80...: result.append(byte)
            default: result += "\u{FFFD}".utf8
            }
        }
        return result
    }
}
