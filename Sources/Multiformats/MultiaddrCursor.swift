/// Steps through the components of a binary multiaddr.
struct MultiaddrCursor {
    private let bytes: [UInt8]
    private var reader: ByteReader

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.reader = ByteReader(bytes)
    }

    /// How many bytes have been read.
    var offset: Int { bytes.count - reader.remaining.count }

    /// The next component of foreign bytes, `nil` at the end. The value's content is not looked at.
    mutating func next() throws(MultiaddrError) -> Multiaddr.Component? {
        if reader.isAtEnd { return nil }
        let code: UInt64
        do { code = try reader.readVarint() } catch { throw .varint(error) }
        guard let known = MultiaddrProtocol(rawValue: code) else { throw .unknownCode(code) }
        do {
            let value =
                switch known.valueSize {
                case .fixed(let size): try reader.readBytes(size)
                case .lengthPrefixed: try reader.readLengthPrefixed()
                }
            return Multiaddr.Component(protocol: known, value: value)
        } catch {
            throw .varint(error)
        }
    }

    /// The next component of bytes that a `Multiaddr` holds, which were checked when it was made.
    mutating func nextChecked() -> Multiaddr.Component? {
        do { return try next() } catch {
            assertionFailure("a Multiaddr holds unchecked bytes: \(error)")
            return nil
        }
    }
}
