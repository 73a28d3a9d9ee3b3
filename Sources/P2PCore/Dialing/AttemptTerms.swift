/// What an attempt takes for granted, and may be wrong about.
package struct AttemptTerms: Sendable, Hashable {
    /// The security protocol that the peer is presumed to speak, from the last connection with it.
    package var presumed: ProtocolID?
    /// Whether the source port is one that we listen on.
    package var reusesPort: Bool

    /// Both.
    package init(presumed: ProtocolID?, reusesPort: Bool) {
        self.presumed = presumed
        self.reusesPort = reusesPort
    }

    /// The terms on which the address is worth another try at once, after its pipe was up and no connection came of it. Two causes
    /// are ours to mend: a presumption that no longer holds, and two dials that crossed on the same pair of ports.
    ///
    /// - Parameter usedListeningPort: whether the pipe's source port was one that we listen on.
    /// - Returns: nil if it was neither, or if another try would come to the same.
    package func mended(after reason: DialFailureReason, usedListeningPort: Bool) -> AttemptTerms? {
        switch reason {
        case .wrongPeer, .limit: return nil
        default: break
        }
        let mended = AttemptTerms(presumed: nil, reusesPort: self.reusesPort && !usedListeningPort)
        return mended == self ? nil : mended
    }
}
