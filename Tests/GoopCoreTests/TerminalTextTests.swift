import GoopCore
import Testing

@Suite("Text for a terminal")
struct TerminalTextTests {
    @Test(
        "a word that a person copies is read by a shell as it was written",
        arguments: [
            ("./peers/me", "./peers/me"), ("/srv/ada/my-site_2", "/srv/ada/my-site_2"), ("pärchen", "pärchen"),
            ("My Peers/me", "'My Peers/me'"), ("", "''"), ("it's", "'it'\\''s'"), ("'\u{301};x", "''\\''\u{301};x'"),
            ("$HOME", "'$HOME'"),
            ("~/x", "'~/x'"), ("a;rm -rf b", "'a;rm -rf b'"), ("a\nb", "'a\nb'"), ("*", "'*'"),
        ])
    func words(text: String, written: String) { #expect(TerminalText.shellWord(text) == written) }

    @Test(
        "what could move the cursor, colour, hide or reorder is replaced",
        arguments: [
            ("a\u{1B}[31mb", "a\u{FFFD}[31mb"), ("a\rb", "a\u{FFFD}b"), ("a\u{202E}b", "a\u{FFFD}b"),
            ("a\u{2028}b", "a\u{FFFD}b"), ("a\u{9B}b", "a\u{FFFD}b"), ("Zoë 👩‍💻", "Zoë 👩‍💻"),
        ])
    func harmless(text: String, shown: String) { #expect(TerminalText.safe(text) == shown) }

    @Test("a stranger's file shown on a terminal is text and nothing else, wherever it is cut", arguments: 1...4)
    func bytes(piece: Int) {
        let file = Array("a\u{1B}]0;title\u{7}\r\n\tZoë\u{9B}2J £\u{7F}\u{C2}".utf8)
        var terminal = TerminalBytes()
        var shown: [UInt8] = []
        for start in stride(from: 0, to: file.count, by: piece) {
            shown += terminal.safe(file[start..<min(start + piece, file.count)])
        }
        let text = "a\u{FFFD}]0;title\u{FFFD}\n\tZoë\u{FFFD}2J £\u{FFFD}\u{C2}"
        #expect(String(decoding: shown, as: UTF8.self) == text)
    }

    @Test("a code that is left out joins nothing to a control code", arguments: 1...5)
    func leftOut(piece: Int) {
        let file: [UInt8] = [0x61, 0xC2, 0x0D, 0x9B, 0x32, 0x4A]
        var terminal = TerminalBytes()
        let shown = stride(from: 0, to: file.count, by: piece).flatMap {
            terminal.safe(file[$0..<min($0 + piece, file.count)])
        }
        #expect(String(decoding: shown, as: UTF8.self) == "a\u{FFFD}2J")
    }

    @Test("a petname stands in the place of the name, and what a peer calls itself behind its id")
    func names() {
        #expect(TerminalText.named(petname: "Mum", label: "Ada") == ("Mum", "  calls itself Ada"))
        #expect(TerminalText.named(petname: "", label: "Ada") == ("Ada", ""))
        #expect(TerminalText.named(petname: "Mum", label: "") == ("Mum", ""))
        #expect(TerminalText.named(petname: "", label: "").name.isEmpty)
        // Nothing that a stranger writes reaches the place behind the id, whether it has a petname or not.
        let long = String(repeating: "x", count: 60)
        #expect(TerminalText.named(petname: "", label: long).name.count == TerminalText.maximumName + 1)
        #expect(TerminalText.named(petname: "Mum", label: "a\u{1B}[31m").addition == "  calls itself a\u{FFFD}[31m")
    }

    @Test("a line has an end, and a letter has no tower of marks")
    func bounded() {
        #expect(TerminalText.safe(String(repeating: "x", count: 81)) == String(repeating: "x", count: 80) + "…")
        let tower = "e" + String(repeating: "\u{301}", count: 1000)
        #expect(TerminalText.safe(tower).unicodeScalars.count == 8)
    }
}
