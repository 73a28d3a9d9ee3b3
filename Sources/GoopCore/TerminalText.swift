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
        return "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
