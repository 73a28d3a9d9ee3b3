/// Why something is not a content identifier.
public enum CIDError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is not in a known base.
    case multibase(MultibaseError)
    /// Version or codec is not a varint.
    case varint(VarintError)
    /// A version other than 0 and 1.
    case unsupportedVersion(UInt64)
    /// The hash behind version and codec is malformed.
    case multihash(MultihashError)
    /// The text is longer than any CID that we meet, in characters.
    case tooLong(limit: Int)

    /// For people and logs.
    public var description: String {
        switch self {
        case .multibase(let error): "\(error)"
        case .varint(let error): "its version or codec cannot be read: \(error)"
        case .unsupportedVersion(let version):
            "content identifiers of version \(version) are not known; accepted are 0 and 1"
        case .multihash(let error): "\(error)"
        case .tooLong(let limit): "a content identifier has at most \(limit) characters here"
        }
    }
}

/// A content identifier: a multihash that says what kind of content it names.
///
/// Wire shape of version 1: `01`, varint(codec), multihash. Version 0 is a bare SHA-256 multihash, `Qm…` in base58.
/// Source: multiformats CID specification.
public struct CID: Hashable, Sendable {
    /// The longest text that is read, in characters.
    public static let maximumTextLength = 512
    /// The codec of a public key's peer id.
    public static let libp2pKey: UInt64 = 0x72
    /// The codec that version 0 implies.
    public static let dagProtobuf: UInt64 = 0x70

    /// 0 or 1.
    public let version: Int
    /// The content's codec in the multicodec table.
    public let codec: UInt64
    /// The hash.
    public let multihash: Multihash

    /// A version 1 identifier.
    public init(codec: UInt64, multihash: Multihash) {
        self.version = 1
        self.codec = codec
        self.multihash = multihash
    }

    /// Reads the binary form, which must fill `bytes`.
    public init(bytes: ArraySlice<UInt8>) throws(CIDError) {
        if bytes.count == 34, bytes.starts(with: [0x12, 0x20]) {
            version = 0
            codec = Self.dagProtobuf
            do { multihash = try Multihash(bytes: bytes) } catch { throw .multihash(error) }
            return
        }
        var reader = ByteReader(bytes)
        let version: UInt64
        do {
            version = try reader.readVarint()
            codec = try reader.readVarint()
        } catch {
            throw .varint(error)
        }
        guard version == 1 else { throw .unsupportedVersion(version) }
        self.version = 1
        do { multihash = try Multihash(bytes: reader.remaining) } catch { throw .multihash(error) }
    }

    /// Reads the text form: `Qm…` of version 0, else multibase.
    public init(text: String) throws(CIDError) {
        guard text.utf8.count <= Self.maximumTextLength else { throw .tooLong(limit: Self.maximumTextLength) }
        let bytes: [UInt8]
        do {
            bytes = text.utf8.count == 46 && text.hasPrefix("Qm") ? try Base58.decode(text) : try Multibase.decode(text)
        } catch {
            throw .multibase(error)
        }
        try self.init(bytes: bytes[...])
    }

    /// The binary form.
    public var bytes: [UInt8] {
        version == 0 ? multihash.bytes : [0x01] + Varint.encode(codec) + multihash.bytes
    }

    /// The text form in a base; version 0 has base58 only, whatever is asked for.
    public func text(as encoding: Multibase.Encoding = .base32) -> String {
        version == 0 ? Base58.encode(bytes) : Multibase.encode(bytes, as: encoding)
    }
}
