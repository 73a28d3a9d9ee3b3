import Multiformats

/// The constants and the message form of multistream-select 1.0.
///
/// Wire shape of a message: unsigned varint length, then that many bytes, the last of which is a newline. The length
/// counts the newline. The first message of each side is the header `/multistream/1.0.0`.
///
/// Source: libp2p specifications, connections/README.md, section "multistream-select".
public enum Multistream {
    /// The name both sides send before anything else.
    public static let header: ProtocolID = "/multistream/1.0.0"
    /// The largest value of the length field we accept, newline included. go-multistream refuses the same sizes.
    public static let maximumMessageBytes = 1024
    /// How many proposals a responder answers before it gives up, and how many candidates an initiator may hold.
    public static let maximumProposals = 100

    static let refusal = "na"
    static let newline = UInt8(ascii: "\n")

    /// Appends one message, framing included.
    static func append(_ text: String, to bytes: inout [UInt8]) {
        Varint.append(UInt64(text.utf8.count + 1), to: &bytes)
        bytes.append(contentsOf: text.utf8)
        bytes.append(newline)
    }
}

/// Why a negotiation ended without a protocol.
public enum MultistreamError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The length field exceeds `limit` bytes.
    case messageTooLarge(limit: Int)
    /// The length field is no minimal varint, or is zero.
    case malformedLength
    /// A message does not end with a newline.
    case missingNewline
    /// The peer's first message is not `/multistream/1.0.0`: it speaks something else.
    case missingHeader
    /// The peer answered with a name that was not proposed. `name` is cut to 64 characters.
    case unexpectedAnswer(name: String)
    /// The peer refused every protocol we proposed.
    case refused(proposed: [ProtocolID])
    /// The peer proposed nothing that we have, then stopped speaking the protocol.
    case noAgreement
    /// The peer's proposals passed `limit` without an agreement.
    case tooManyProposals(limit: Int)

    /// For people and logs.
    public var description: String {
        switch self {
        case .messageTooLarge(let limit): "a message of the peer is longer than \(limit) bytes; \(Self.nextStep)"
        case .malformedLength: "the length of a message of the peer cannot be read; \(Self.nextStep)"
        case .missingNewline: "a message of the peer does not end with a newline; \(Self.nextStep)"
        case .missingHeader: "the peer did not begin with \(Multistream.header); \(Self.nextStep)"
        case .unexpectedAnswer(let name): "the peer answered with \(Self.escaped(name)), which was not proposed"
        case .refused(let proposed) where proposed.isEmpty: "no protocol was named that the peer could be asked for"
        case .refused(let proposed): "the peer speaks none of what was proposed: \(Self.list(proposed))"
        case .noAgreement: "the peer asked for nothing that is spoken here, and then broke off"
        case .tooManyProposals(let limit):
            "the peer asked for more than \(limit) protocols, none of which is spoken here"
        }
    }

    private static let nextStep = "see whether a libp2p peer listens at this address"
    /// So many names tell what was meant; a caller may propose up to `Multistream.maximumProposals`.
    private static let namesTold = 8

    private static func list(_ names: [ProtocolID]) -> String {
        let told = names.prefix(namesTold).map(\.name).joined(separator: ", ")
        return names.count > namesTold ? "\(told) and \(names.count - namesTold) more" : told
    }

    /// A stranger's text, with its control characters spelt out.
    private static func escaped(_ text: String) -> Substring { text.debugDescription.dropFirst().dropLast() }
}

/// What a negotiation wants after it has been fed.
public struct MultistreamStep: Sendable, Equatable {
    /// Bytes to send now, in this order, before anything else on this stream. Often empty.
    public var send: [UInt8]
    /// Set once, when the negotiation is over.
    public var outcome: MultistreamOutcome?

    /// Creates a step.
    public init(send: [UInt8] = [], outcome: MultistreamOutcome? = nil) {
        self.send = send
        self.outcome = outcome
    }
}

/// The end of a negotiation.
public enum MultistreamOutcome: Sendable, Equatable {
    /// Both sides use `protocolID` from here on. `leftover` holds the bytes that were received after the negotiation's
    /// last message: they belong to the protocol and must be handed to it before anything read later.
    case agreed(ProtocolID, leftover: [UInt8])
    /// No protocol was agreed; the stream is of no further use.
    case failed(MultistreamError)
}
