public import P2PCore

/// Why no protocol was agreed on.
public enum NegotiationFailure: Equatable, Sendable, CustomStringConvertible {
    /// The peer takes none of these.
    case refused([ProtocolID])
    /// What the peer sent is not what it should have been.
    case failed(MultistreamError)
    /// The peer ended its side before.
    case ended
    /// The peer ended its side after what it proposed was refused.
    case declined
    /// Nothing was agreed on in this time.
    case timedOut(after: Duration)

    /// For people and logs.
    public var description: String {
        switch self {
        case .refused(let names): "\(MultistreamError.refused(proposed: names))"
        case .failed(let error): "negotiation failed: \(error)"
        case .ended: "closed before a protocol was agreed on"
        case .declined: "closed after what it proposed was refused"
        case .timedOut(let time): "no agreement on a protocol within \(time)"
        }
    }
}
