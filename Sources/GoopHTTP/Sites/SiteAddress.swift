import PeerIdentity

/// What a path under `/p/` asks for.
enum SiteAddress: Sendable, Equatable {
    /// A file: the site's peer, and the path as the peer expects it.
    case file(peer: PeerID, path: String)
    /// The same thing under its one right address.
    case redirect(location: String)
    /// No peer can be read from it, or none can have that id.
    case noPeer
    /// The path within the site is not acceptable.
    case badPath(peer: PeerID, SitePathProblem)

    /// The longest path within a site, in bytes after decoding.
    static let maximumPathBytes = 1024
    private static let maximumPeerBytes = 128

    /// Reads a target that begins with `/p/` or is `/p`.
    init(_ target: RequestTarget) {
        let rest = target.path.dropFirst("/p/".count)
        let slash = rest.firstIndex(of: "/")
        let name = rest[..<(slash ?? rest.endIndex)]
        // Whom no key can make would be searched for until the time is over.
        guard !name.isEmpty, name.utf8.count <= Self.maximumPeerBytes, let peer = try? PeerID(text: String(name)),
            peer.canBeOfAKey
        else {
            self = .noPeer
            return
        }
        guard let slash, peer.base58 == name else {
            let path = slash.map { rest[$0...] } ?? "/"
            self = .redirect(location: "/p/\(peer.base58)\(path)\(target.querySuffix)")
            return
        }
        do {
            self = .file(peer: peer, path: try Self.decode(rest[slash...]))
        } catch {
            self = .badPath(peer: peer, error)
        }
    }

    /// Percent-decodes a path once and refuses what could mean something else to a file system.
    ///
    /// - Parameter encoded: begins with a slash, printable ASCII.
    /// - Throws: `SitePathProblem`: a broken escape, an escaped slash or backslash, a control character, text that is
    ///   not UTF-8, an empty, `.` or `..` segment, or too many bytes.
    static func decode(_ encoded: Substring) throws(SitePathProblem) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(encoded.utf8.count)
        var input = encoded.utf8.makeIterator()
        while let byte = input.next() {
            guard byte == UInt8(ascii: "%") else {
                guard byte != UInt8(ascii: "\\") else { throw .separator }
                bytes.append(byte)
                continue
            }
            guard let high = input.next().flatMap(hexValue), let low = input.next().flatMap(hexValue) else {
                throw .brokenEscape
            }
            let decoded = high << 4 | low
            guard decoded != UInt8(ascii: "/"), decoded != UInt8(ascii: "\\") else { throw .separator }
            guard decoded >= 0x20, decoded != 0x7f else { throw .controlCharacter }
            bytes.append(decoded)
        }
        guard bytes.count <= maximumPathBytes else { throw .tooLong }
        guard let path = String(validating: bytes, as: UTF8.self) else { throw .notText }
        // The first segment, before the leading slash, is always empty, and so is the last one of a folder.
        let segments = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
        for (index, segment) in zip(segments.indices, segments) {
            if segment.isEmpty, index != segments.indices.last { throw .emptySegment }
            if segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8) { throw .dotSegment }
        }
        return path
    }

    private static func hexValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// Why a path within a site is refused.
enum SitePathProblem: Error, Sendable, Equatable, CaseIterable {
    case brokenEscape, separator, controlCharacter, notText, emptySegment, dotSegment, tooLong

    var explanation: String {
        switch self {
        case .brokenEscape: "A percent sign in it is not followed by two hexadecimal digits."
        case .separator: "It holds an escaped slash or a backslash."
        case .controlCharacter: "It holds a control character."
        case .notText: "It is not readable text."
        case .emptySegment: "It holds two slashes in a row."
        case .dotSegment: "It holds a “.” or “..” between slashes."
        case .tooLong: "It is longer than \(SiteAddress.maximumPathBytes) characters."
        }
    }
}
