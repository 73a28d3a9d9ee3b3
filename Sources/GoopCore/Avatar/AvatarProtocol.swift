/// The head line of `/goop/avatar/1.0.0`.
///
/// The opener sends nothing. The answer is `NONE` and a line feed, or `OK <size>`, a line feed, and exactly so many bytes.
/// White space around the line is ignored, so CR LF is tolerated. Upstream may also answer `EOK <size>` and a sealed text, which is
/// refused here.
/// Source: P2P wire reference, sections 4.1 and 4.6.
public enum AvatarProtocol {
    /// The protocol id.
    public static let id = "/goop/avatar/1.0.0"
    /// The longest head line in bytes.
    public static let maximumHeadLine = 64

    /// What the line says.
    public enum Head: Sendable, Hashable {
        /// The peer has no picture.
        case none
        /// So many bytes follow.
        case picture(size: Int)
    }

    /// The line, with its line feed.
    public static func line(_ head: Head) -> [UInt8] {
        switch head {
        case .none: Array("NONE\n".utf8)
        case .picture(let size): Array("OK \(size)\n".utf8)
        }
    }

    /// Reads a line without its line feed.
    /// - Throws: `.sealed`, `.tooLarge` beyond `limit`, or `.malformed`; a picture of no bytes is malformed too.
    public static func head(
        inLine line: some Collection<UInt8>, limit: Int = Avatar.maximumBytes
    ) throws(AvatarFault) -> Head {
        let words = line.split { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let word = words.first, words.count <= 2 else { throw .malformed }
        if word.elementsEqual("NONE".utf8), words.count == 1 { return .none }
        if word.elementsEqual("EOK".utf8) { throw .sealed }
        guard word.elementsEqual("OK".utf8), words.count == 2, words[1].allSatisfy({ (0x30...0x39).contains($0) })
        else { throw .malformed }
        guard let size = Int(String(decoding: words[1], as: UTF8.self)), size <= limit else {
            throw .tooLarge(limit: limit)
        }
        guard size > 0 else { throw .malformed }
        return .picture(size: size)
    }
}
