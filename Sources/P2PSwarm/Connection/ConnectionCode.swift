import P2PCore

/// What a go-away says, so that the peer knows whether to come back.
///
/// Source: libp2p specs PR 623, connection error codes.
public enum ConnectionCode {
    /// An ordinary end.
    public static let normal: UInt32 = 0
    /// A limit of ours was hit.
    public static let resourceLimit: UInt32 = 0x1001
    /// Another connection with the same peer is preferred.
    public static let supplanted: UInt32 = 0x1004
    /// There are too many connections.
    public static let garbageCollected: UInt32 = 0x1005

    /// What to say behind "closed by us" or "closed by the peer"; nothing for an ordinary end.
    package static func words(for code: UInt32) -> String {
        let number = ", code 0x\(String(code, radix: 16))"
        return switch code {
        case Self.normal: ""
        case YamuxCode.protocolError: "\(number): a rule of the muxer was broken"
        case YamuxCode.internalError: "\(number): a failure on the side that closed"
        case Self.resourceLimit: "\(number): a limit was reached"
        case Self.supplanted: "\(number): another connection of the two is the better one"
        case Self.garbageCollected: "\(number): there were too many connections"
        default: number
        }
    }
}
