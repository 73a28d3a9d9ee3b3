import Multiformats

/// Reads along in the negotiation of one stream, and stops where the stream's own bytes begin.
///
/// The opener's line after its header is a proposal; what it sends behind one belongs to the protocol, unless the other side
/// has answered `na`. Of the other side only `na` and the proposal itself count as lines. Anything else ends the reading of
/// that direction, as do 128 bytes. Lines are printable ASCII without quotes and backslashes.
struct StreamNegotiation {
    /// What a piece of payload brought to an end.
    struct Found: Equatable {
        var tokens: [String] = []
        /// What the tokens take on the wire.
        var bytes = 0
        /// The whole size of a message of identify, by the length in front of it; nil also for one past every size.
        var message: Int?
        /// Where in the piece the opener's own bytes begin, if it did not wait for the answer to its last proposal: they belong
        /// to what it proposed, unless that is refused.
        var begins: Int?
    }

    /// How far a direction is read.
    static let maximumBytes = 128
    private static let header = "/multistream/1.0.0"

    private enum Phase {
        case header
        case lines
        /// The opener's, behind a proposal: what comes now is no line.
        case waiting
        /// The length in front of a message.
        case message
        case over
    }

    private struct Direction {
        var phase = Phase.header
        var held: [UInt8] = []
        var room = StreamNegotiation.maximumBytes
        /// Payload that is still to come, once the last frame is known.
        var remaining: Int?
    }

    private var opener = Direction()
    private var answerer = Direction()
    private var proposal: String?
    /// Whether we opened the stream.
    let isOurs: Bool

    init(isOurs: Bool) { self.isOurs = isOurs }

    /// Nothing more is to be found.
    var isOver: Bool { self.opener.phase == .over && self.answerer.phase == .over }

    /// The direction's last frame is there, and so many bytes of payload come with it.
    mutating func finishes(isSent: Bool, after count: Int) {
        self.change(isSent) { direction in
            direction.remaining = count
            if count == 0 { direction.phase = .over }
        }
    }

    /// Takes a piece of a direction's payload.
    mutating func take(_ payload: UnsafeRawBufferPointer, isSent: Bool) -> Found {
        var found = Found()
        let isOpener = isSent == self.isOurs
        var unread = payload.count
        self.change(isSent) { direction in
            if direction.phase == .waiting, !payload.isEmpty {
                direction.phase = .over
                found.begins = 0
            }
            guard direction.phase != .over else { return }
            let count = min(payload.count, direction.room)
            unread -= count
            direction.held.append(contentsOf: payload.prefix(count))
            direction.room -= count
        }
        while let token = self.nextToken(isSent) {
            guard self.accepts(token, isOpener: isOpener) else {
                self.change(isSent) { $0.phase = .over }
                break
            }
            found.tokens.append(token)
            found.bytes += Varint.encodedLength(UInt64(token.utf8.count + 1)) + token.utf8.count + 1
        }
        if isOpener, let last = found.tokens.last, last == self.proposal {
            let behind = self.opener.held.count + unread
            if behind > 0 { found.begins = payload.count - behind }
        }
        found.message = self.messageSize(isSent)
        self.change(isSent) { direction in
            if direction.room == 0 { direction.phase = .over }
            if let remaining = direction.remaining {
                direction.remaining = max(0, remaining - payload.count)
                if remaining <= payload.count { direction.phase = .over }
            }
            if direction.phase == .over { direction.held = [] }
        }
        return found
    }

    private mutating func change(_ isSent: Bool, _ body: (inout Direction) -> Void) {
        if isSent == self.isOurs { body(&self.opener) } else { body(&self.answerer) }
    }

    private func direction(_ isSent: Bool) -> Direction { isSent == self.isOurs ? self.opener : self.answerer }

    /// The line at the front, without its length and its newline; nil if there is none, which ends the direction if there
    /// can be none any more.
    private mutating func nextToken(_ isSent: Bool) -> String? {
        let direction = self.direction(isSent)
        guard direction.phase == .header || direction.phase == .lines else {
            if direction.phase == .waiting, !direction.held.isEmpty { self.change(isSent) { $0.phase = .over } }
            return nil
        }
        guard let (text, size) = Self.line(direction.held) else { return nil }
        self.change(isSent) { changed in
            if text == nil { changed.phase = .over } else { changed.held.removeFirst(size) }
        }
        return text
    }

    /// Nil while the line is not complete; a text of nil if it is none.
    private static func line(_ bytes: [UInt8]) -> (text: String?, size: Int)? {
        guard let prefix = try? Varint.decodePrefix(bytes[...]) else {
            return bytes.count < Varint.maximumLength ? nil : (nil, 0)
        }
        guard prefix.value > 1, prefix.value <= UInt64(Self.maximumBytes) else { return (nil, 0) }
        let size = prefix.length + Int(prefix.value)
        guard bytes.count >= size else { return nil }
        let text = bytes[prefix.length..<(size - 1)]
        let isPlain = text.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }
        guard bytes[size - 1] == 0x0a, isPlain else { return (nil, 0) }
        return (String(decoding: text, as: UTF8.self), size)
    }

    private mutating func accepts(_ token: String, isOpener: Bool) -> Bool {
        if isOpener {
            if self.opener.phase == .header {
                self.opener.phase = .lines
                return token == Self.header
            }
            guard token.hasPrefix("/") else { return false }
            self.proposal = token
            self.opener.phase = token == "/ipfs/id/push/1.0.0" ? .message : .waiting
            return true
        }
        if self.answerer.phase == .header {
            self.answerer.phase = .lines
            return token == Self.header
        }
        if token == "na" {
            if self.opener.phase == .waiting { self.opener.phase = .lines }
            return self.proposal != nil
        }
        guard token == self.proposal else { return false }
        if self.opener.phase == .waiting { self.opener.phase = .over }
        self.answerer.phase = token == "/ipfs/id/1.0.0" ? .message : .over
        return true
    }

    private mutating func messageSize(_ isSent: Bool) -> Int? {
        let direction = self.direction(isSent)
        guard direction.phase == .message, let prefix = try? Varint.decodePrefix(direction.held[...]) else {
            return nil
        }
        self.change(isSent) { $0.phase = .over }
        guard let size = Int(exactly: prefix.value), size <= .max - prefix.length else { return nil }
        return size + prefix.length
    }
}
