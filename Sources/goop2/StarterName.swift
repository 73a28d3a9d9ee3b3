import ArgumentParser
import GoopCore
import GoopNode

/// The starter sites by their names on the command line.
enum StarterName {
    /// All names in one line.
    static var names: String { StarterSite.allCases.map(\.rawValue).joined(separator: ", ") }

    /// All names with what they are, one a line.
    static var list: String {
        StarterSite.allCases.map { site in
            let name = site.rawValue
            return "  \(name)\(String(repeating: " ", count: max(1, 12 - name.count)))\(site.summary)"
        }.joined(separator: "\n")
    }

    /// Reads a name; `own` is what `plain` was called before.
    static func read(_ text: String) throws -> StarterSite {
        if let site = StarterSite(rawValue: text) { return site }
        if text == "own" { return .plain }
        let known = StarterSite.allCases.map(\.rawValue)
        let guess = NameSuggestion.nearest(to: text, among: known).map { "; did you mean \($0)?" } ?? "."
        throw ValidationError(
            "There is no starter “\(TerminalText.safe(text, maximumCharacters: 60))”\(guess) There are: \(names).")
    }
}
