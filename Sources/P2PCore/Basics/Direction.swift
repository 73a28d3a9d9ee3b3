/// Who opened a connection or a stream.
public enum Direction: Sendable, Hashable {
    /// The other side did.
    case inbound
    /// We did.
    case outbound
}
