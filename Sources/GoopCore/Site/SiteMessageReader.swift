import Multiformats

/// Collects one message that stands behind its length as a varint.
public struct SiteMessageReader: Sendable {
    private let limit: Int
    private var gathered: [UInt8] = []

    /// Expects a message of at most `limit` bytes; never holds more than that and the length.
    public init(limit: Int) { self.limit = limit }

    /// Takes the next bytes.
    /// - Returns: the message, and how many of these bytes belong to it; nil if more are needed.
    /// - Throws: `.protocolViolation` if the length is none, or beyond the limit.
    public mutating func received(
        _ bytes: ArraySlice<UInt8>
    ) throws(SiteError) -> (message: ArraySlice<UInt8>, consumed: Int)? {
        let before = gathered.count
        gathered += bytes.prefix(limit + Varint.maximumLength - min(before, limit + Varint.maximumLength))
        let prefix: (value: UInt64, length: Int)?
        do { prefix = try Varint.decodePrefix(gathered[...]) } catch {
            throw SiteError(kind: .protocolViolation, detail: "the length of a message: \(error)")
        }
        guard let prefix else { return nil }
        guard prefix.value <= UInt64(limit) else {
            throw SiteError(
                kind: .protocolViolation, detail: "a message of \(prefix.value) bytes; the limit is \(limit)")
        }
        let end = prefix.length + Int(prefix.value)
        guard gathered.count >= end else { return nil }
        return (gathered[prefix.length..<end], end - before)
    }

    /// A message with its length in front.
    static func framed(_ message: ProtobufWriter) -> [UInt8] {
        Varint.encode(UInt64(message.bytes.count)) + message.bytes
    }
}

/// The visitor's end of one query: the head, then exactly the bytes it announces, then the end.
///
/// Counts bytes and holds none of them. A stream that ends early, or brings more, breaks the protocol.
public struct SiteAnswerReader: Sendable {
    private enum State {
        case head(SiteMessageReader)
        case body(left: Int)
        case failed
    }

    private let method: SiteQuery.Method
    private let limit: Int
    private var state = State.head(SiteMessageReader(limit: SiteHead.maximumBytes))

    /// Expects the answer to a query of this method; a body larger than `limit` bytes is refused.
    public init(method: SiteQuery.Method, limit: Int = SiteQuery.maximumPosition) {
        self.method = method
        self.limit = limit
    }

    /// Counts a body whose head was read elsewhere, for upstream's protocol.
    public init(bodyOf size: Int) {
        method = .get
        limit = size
        state = .body(left: max(size, 0))
    }

    /// Bytes of the body that are still to come; nil before the head.
    public var left: Int? {
        if case .body(let left) = state { left } else { nil }
    }

    /// Takes bytes while the head is awaited.
    /// - Returns: the head, and how many of these bytes belong to it; the others are the body's, for `bodyReceived`.
    /// - Throws: the refusal of the other side, `.tooLarge`, `.protocolViolation`.
    public mutating func headReceived(
        _ bytes: ArraySlice<UInt8>
    ) throws(SiteError) -> (head: SiteHead, consumed: Int)? {
        guard case .head(var reader) = state else { throw fail("the head came already") }
        state = .failed
        guard let (message, consumed) = try reader.received(bytes) else {
            state = .head(reader)
            return nil
        }
        let head = try SiteHead(decoding: message, limit: limit)
        state = .body(left: method == .head ? 0 : head.size)
        return (head, consumed)
    }

    /// Notes bytes of the body.
    /// - Throws: `.protocolViolation` if they are more than the head said.
    public mutating func bodyReceived(_ count: Int) throws(SiteError) {
        guard case .body(let left) = state, count >= 0, count <= left else {
            throw fail("the peer sent more bytes than it announced")
        }
        state = .body(left: left - count)
    }

    /// The peer will send no more.
    /// - Throws: `.protocolViolation` if the answer is not complete.
    public mutating func ended() throws(SiteError) {
        switch state {
        case .body(left: 0): return
        case .body(let left): throw fail("the peer ended \(left) bytes before the file's end")
        case .head, .failed: throw fail("the peer closed without an answer")
        }
    }

    private mutating func fail(_ detail: String) -> SiteError {
        state = .failed
        return SiteError(kind: .protocolViolation, detail: detail)
    }
}
