import NIOCore

/// The text of an event stream. Ids count within one stream; a new stream replays nothing.
/// Source: WHATWG HTML, section 9.2 (event stream format).
struct EventText {
    /// A comment: a sign of life.
    static let heartbeat = ByteBuffer(string: ": alive\n\n")
    /// Says when the browser connects again after an end, in milliseconds.
    static let retry = ByteBuffer(string: "retry: 2000\n\n")

    private var lastID: UInt64 = 0

    /// The id of the next event.
    var nextID: UInt64 { lastID &+ 1 }

    /// One event.
    /// - Parameter json: holds no line ends, so it is one data line.
    mutating func event(_ name: String, _ json: some Sequence<UInt8>) -> ByteBuffer {
        lastID &+= 1
        var buffer = ByteBuffer(string: "id: \(lastID)\nevent: \(name)\ndata: ")
        buffer.writeBytes(json)
        buffer.writeString("\n\n")
        return buffer
    }
}
