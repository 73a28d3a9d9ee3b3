/// Which side of a connection we are.
public enum ConnectionRole: Hashable, Sendable {
    /// We dialed: first to speak, odd stream numbers.
    case initiator
    /// We accepted: even stream numbers.
    case responder
}
