import Crypto
import Multiformats

/// A picture that a peer has chosen for itself: bytes that have been looked at, and nothing that anybody says of them.
///
/// It is a claim, as a name is: anybody can choose anybody's. What cannot be copied is the picture made from the id.
public struct Avatar: Sendable, Hashable {
    /// The kinds that are taken, with their media types. SVG is none: it is a document, not a picture.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case png = "image/png"
        case jpeg = "image/jpeg"
        case webp = "image/webp"
        case gif = "image/gif"
    }

    /// The largest own picture, in bytes.
    public static let maximumOwnBytes = 256 * 1024
    /// The largest picture of somebody else, in bytes.
    public static let maximumBytes = 512 * 1024
    /// The most pixels of a side: a few bytes can say that they are a picture of a gigabyte.
    public static let maximumSide = 4096
    /// Characters of a hash.
    public static let hashCharacters = 16

    /// Told by the first bytes.
    public let kind: Kind
    /// The first 8 bytes of SHA-256 of the bytes, as 16 small hexadecimal characters.
    public let hash: String
    /// All of it.
    public let bytes: [UInt8]

    /// Looks at a picture.
    /// - Parameter limit: the most bytes.
    /// - Throws: `.tooLarge`, `.notAPicture` for another kind or a broken head, or `.tooManyPixels`.
    public init(_ bytes: [UInt8], limit: Int = maximumBytes) throws(AvatarFault) {
        guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
        guard let header = PictureHeader(bytes) else { throw .notAPicture }
        guard header.width <= Avatar.maximumSide, header.height <= Avatar.maximumSide else {
            throw .tooManyPixels(side: Avatar.maximumSide)
        }
        kind = header.kind
        hash = Hex.encode(Array(SHA256.hash(data: bytes).prefix(Avatar.hashCharacters / 2)))
        self.bytes = bytes
    }

    /// True for a text that can name a picture.
    public static func isHash(_ text: String) -> Bool {
        text.utf8.count == hashCharacters
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }
}

/// Why something is not taken as a picture.
public enum AvatarFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// More bytes than are taken.
    case tooLarge(limit: Int)
    /// Neither PNG, JPEG, WebP nor GIF, or broken.
    case notAPicture
    /// More pixels on a side than are shown.
    case tooManyPixels(side: Int)
    /// The answer is none of the protocol.
    case malformed
    /// The answer is sealed, and this version opens no sealed answers.
    case sealed
    /// The peer has none.
    case none
    /// Other bytes than those that were announced.
    case wrongHash
    /// No answer in time.
    case timedOut

    /// For the person.
    public var description: String {
        switch self {
        case .tooLarge(let limit): "a picture has at most \(limit / 1024) KiB"
        case .notAPicture: "only pictures of the kinds PNG, JPEG, WebP and GIF are taken"
        case .tooManyPixels(let side): "a picture has at most \(side) pixels on a side"
        case .malformed: "the answer makes no sense"
        case .sealed: "the answer is sealed, and this version opens no sealed answers"
        case .none: "there is no picture"
        case .wrongHash: "it is another picture than the one that was announced"
        case .timedOut: "it did not come in time"
        }
    }
}
