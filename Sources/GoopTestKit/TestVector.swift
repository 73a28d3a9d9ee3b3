import Multiformats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A file of `Tests/Vectors`: a head of `key: value` lines, a blank line, and a body.
///
/// Keys may repeat. Lines that begin with `#` are comments. A file without a blank line has an empty body.
public struct TestVector: Sendable {
    /// The lines of the head in their order.
    public let head: [(key: String, value: String)]
    /// Everything behind the blank line.
    public let body: String

    /// Splits the text of a file.
    public init(text: String) {
        var head: [(key: String, value: String)] = []
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let line = lines.popFirst(), !line.isEmpty {
            if line.hasPrefix("#") { continue }
            let parts = line.split(separator: ":", maxSplits: 1)
            guard let key = parts.first else { continue }
            head.append((String(key), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""))
        }
        self.head = head
        body = lines.joined(separator: "\n")
    }

    /// Reads a file of `Tests/Vectors`, found from the place of the calling test.
    public static func load(_ name: String, testFile: String = #filePath) throws -> TestVector {
        var directory = testFile.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        while let last = directory.last, last != "Tests" { directory = directory.dropLast() }
        let path = (directory + ["Vectors", Substring(name)]).joined(separator: "/")
        return TestVector(text: try String(contentsOfFile: path, encoding: .utf8))
    }

    /// The first value of a key.
    public subscript(key: String) -> String? { head.first { $0.key == key }?.value }

    /// All values of a key.
    public func all(_ key: String) -> [String] { head.filter { $0.key == key }.map(\.value) }

    /// The body as bytes, if it is hexadecimal; spaces and line ends are ignored.
    public var bodyBytes: [UInt8] { hex(body) }
}
