/// Why bytes are not a multihash.
public enum MultihashError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Code or length is not a varint.
    case varint(VarintError)
    /// The length says one thing, the bytes behind it another.
    case lengthMismatch(declared: UInt64, actual: Int)
    /// A digest length that the hash function does not have.
    case invalidDigestLength(code: UInt64, length: Int)

    /// For people and logs.
    public var description: String {
        switch self {
        case .varint(let error): "the hash's code or length cannot be read: \(error)"
        case .lengthMismatch(let declared, let actual): "the hash says it has \(declared) bytes, and has \(actual)"
        case .invalidDigestLength(let code, let length):
            "a hash of the kind 0x\(String(code, radix: 16)) has no \(length) bytes"
        }
    }
}

/// A digest that names its hash function.
///
/// Wire shape: varint(code), varint(length), digest. The whole input must be one multihash.
/// Source: multiformats multihash specification.
public struct Multihash: Hashable, Sendable {
    /// The code of the identity function: the digest is the data.
    public static let identity: UInt64 = 0x00
    /// The code of SHA-256.
    public static let sha256: UInt64 = 0x12

    /// The hash function's code in the multicodec table.
    public let code: UInt64
    /// The digest.
    public let digest: [UInt8]

    /// A multihash of these parts.
    /// - Throws: `.invalidDigestLength` for a SHA-256 digest that is not 32 bytes long.
    public init(code: UInt64, digest: some Collection<UInt8>) throws(MultihashError) {
        if code == Self.sha256 && digest.count != 32 {
            throw .invalidDigestLength(code: code, length: digest.count)
        }
        self.code = code
        self.digest = Array(digest)
    }

    /// Reads a multihash that fills `bytes`.
    public init(bytes: ArraySlice<UInt8>) throws(MultihashError) {
        var reader = ByteReader(bytes)
        let code: UInt64
        let length: UInt64
        do {
            code = try reader.readVarint()
            length = try reader.readVarint()
        } catch {
            throw .varint(error)
        }
        guard length == UInt64(reader.remaining.count) else {
            throw .lengthMismatch(declared: length, actual: reader.remaining.count)
        }
        try self.init(code: code, digest: reader.remaining)
    }

    /// Reads a multihash that fills `bytes`.
    public init(bytes: [UInt8]) throws(MultihashError) { try self.init(bytes: bytes[...]) }

    /// The wire form.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digest.count + 4)
        Varint.append(code, to: &bytes)
        Varint.append(UInt64(digest.count), to: &bytes)
        bytes.append(contentsOf: digest)
        return bytes
    }
}
