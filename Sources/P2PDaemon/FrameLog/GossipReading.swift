import Multiformats
import P2PCore

/// Reads along in the opener's direction of a pubsub stream, from the end of its negotiation on, and gives for each RPC the
/// fields of a line of the frame log.
///
/// `rpc` is its size in bytes. Then, as far as there are any: `subscribe`, `unsubscribe` and `graft`, topics; `prune`, each with
/// its `topic` and, if it says one, its `backoff` in seconds; `messages`, how many; `have`, `want` and `dontWant`, how many ids;
/// `ignored`, how many entries the decoder skipped; `untold`, how many topics found no room in the line. Of an RPC past
/// `maximumBytes` there is only `"long":true`, of one that is no protobuf `"malformed":true`. What messages say is never told.
struct GossipReading {
    /// The longest RPC that is held and decoded.
    static let maximumBytes = 64 << 10
    /// How many topics of one RPC are told.
    static let maximumTopics = 32
    /// How many characters of a topic are told.
    static let maximumTopicLength = 128

    private enum Phase {
        case length
        case body(size: Int)
        case skipping(Int)
        /// Nobody knows where the next RPC would begin.
        case lost
    }

    private var phase = Phase.length
    private var held: [UInt8] = []

    /// Takes a piece of payload. The fields of each RPC whose end, or, if it is a long one, whose length came with it.
    mutating func take(_ payload: Slice<UnsafeRawBufferPointer>) -> [String] {
        var rest = payload
        var told: [String] = []
        while let byte = rest.first {
            switch self.phase {
            case .lost: return told
            case .length:
                rest = rest.dropFirst()
                self.held.append(byte)
                if let fields = self.beginning() { told.append(fields) }
            case .body(let size):
                let piece = rest.prefix(size - self.held.count)
                rest = rest.dropFirst(piece.count)
                self.held.append(contentsOf: piece)
                guard self.held.count == size else { continue }
                told.append(Self.fields(of: self.held))
                self.begin(.length)
            case .skipping(let left):
                let count = min(left, rest.count)
                rest = rest.dropFirst(count)
                self.phase = count < left ? .skipping(left - count) : .length
            }
        }
        return told
    }

    private mutating func begin(_ phase: Phase) {
        self.phase = phase
        self.held = []
    }

    /// Looks whether the length is whole. The fields of an RPC that is too long for more.
    private mutating func beginning() -> String? {
        do {
            guard let prefix = try Varint.decodePrefix(self.held[...]) else { return nil }
            guard let size = Int(exactly: prefix.value) else {
                self.begin(.lost)
                return nil
            }
            switch size {
            case 0: self.begin(.length)
            case ...Self.maximumBytes: self.begin(.body(size: size))
            default:
                self.begin(.skipping(size))
                return "\"rpc\":\(size),\"long\":true"
            }
        } catch {
            self.begin(.lost)
        }
        return nil
    }

    private static func fields(of body: [UInt8]) -> String {
        let size = "\"rpc\":\(body.count)"
        guard let rpc = try? GossipRPC(decoding: body[...]) else { return size + ",\"malformed\":true" }
        var fields = [size]
        var room = Self.maximumTopics
        var untold = 0
        /// As many entries as there is room for.
        func list<Entry>(_ name: String, _ entries: [Entry], _ text: (Entry) -> String) {
            let told = entries.prefix(room)
            room -= told.count
            untold += entries.count - told.count
            if !told.isEmpty { fields.append("\"\(name)\":[\(told.map(text).joined(separator: ","))]") }
        }
        func count(_ name: String, _ number: Int) { if number > 0 { fields.append("\"\(name)\":\(number)") } }
        // What changes a mesh has its room first.
        list("graft", rpc.graft, Self.quoted)
        list("prune", rpc.prune) { entry in
            let backoff = entry.backoffSeconds.map { ",\"backoff\":\($0)" } ?? ""
            return "{\"topic\":\(Self.quoted(entry.topic))\(backoff)}"
        }
        list("subscribe", rpc.subscriptions.filter(\.subscribes).map(\.topic), Self.quoted)
        list("unsubscribe", rpc.subscriptions.filter { !$0.subscribes }.map(\.topic), Self.quoted)
        count("messages", rpc.messages.count)
        count("have", rpc.have.reduce(0) { $0 + $1.ids.count })
        count("want", rpc.want.count)
        count("dontWant", rpc.dontWant.count)
        count("ignored", rpc.ignoredEntries)
        count("untold", untold)
        return fields.joined(separator: ",")
    }

    /// A stranger's text as a JSON string: printable ASCII as it is, anything else as escapes, what is too long with an ellipsis.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars.prefix(Self.maximumTopicLength) {
            if scalar.isASCII, scalar.value > 0x1f, scalar.value != 0x7f, scalar != "\"", scalar != "\\" {
                quoted.unicodeScalars.append(scalar)
            } else {
                for unit in String(scalar).utf16 { quoted += Self.escaped(unit) }
            }
        }
        if text.unicodeScalars.dropFirst(Self.maximumTopicLength).first != nil { quoted += Self.escaped(0x2026) }
        return quoted + "\""
    }

    private static func escaped(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
