import FoundationEssentials
import GoopCore
import Testing

@Suite struct ConfigurationDocumentTests {
    /// The document names every key of the program, in the section it belongs to.
    @Test func everyKeyIsExplained() throws {
        let path = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try String(contentsOfFile: "/\(path)/docs/config.md", encoding: .utf8)
        var sections: [Substring: Substring] = [:]
        for part in text.split(separator: "\n## ") {
            let end = part.firstIndex(of: "\n") ?? part.endIndex
            sections[part[..<end]] = part[end...]
        }
        for key in GoopConfiguration.knownKeys {
            let parts = key.split(separator: ".", maxSplits: 1)
            let section = try #require(sections[parts[0]], "no section \(parts[0])")
            #expect(section.contains("`\(parts[1])`"), "\(key) is not explained")
        }
    }
}
