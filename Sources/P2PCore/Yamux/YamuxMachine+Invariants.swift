/// What tests look at between two events.
extension YamuxMachine {
    /// A sentence on the first invariant that does not hold, or nil. Walks all streams: for tests.
    package func inconsistency() -> String? {
        let all = self.streams.values
        if self.bufferedBytes != all.reduce(0, { $0 + Int($1.buffered) }) { return "buffered bytes miscounted" }
        if self.bufferedBytes > self.configuration.maximumBufferedBytes { return "too many buffered bytes" }
        let grown = all.reduce(0) { $0 + Int($1.window - YamuxConfiguration.initialWindow) }
        if self.grownBytes != grown { return "window growth miscounted" }
        if self.inbound != all.count(where: { $0.isInbound }) { return "inbound streams miscounted" }
        if self.inbound > self.configuration.maximumInbound { return "too many inbound streams" }
        if self.unaccepted != all.count(where: { $0.isInbound && !$0.isAccepted }) { return "unaccepted miscounted" }
        if self.unaccepted > self.configuration.maximumUnaccepted { return "too many unaccepted streams" }
        if self.unacknowledged != all.count(where: { !$0.isInbound && !$0.isAccepted }) {
            return "unacknowledged miscounted"
        }
        if self.unacknowledged > self.configuration.maximumUnacknowledged { return "too many unacknowledged streams" }
        if self.lateBytes > max(0, self.configuration.maximumWindowGrowth) { return "too many late bytes" }
        for (id, stream) in self.streams {
            // What a closed stream was granted before its growth went to others, the peer may still use: nothing of it is kept.
            if stream.readClosedAt == nil,
                UInt64(stream.receiveCredit) + UInt64(stream.buffered) > UInt64(stream.window)
            {
                return "stream \(id) granted more than its window"
            }
            if stream.local == .finished, stream.remote == .finished { return "stream \(id) outlived both FINs" }
        }
        return nil
    }

    package func isAlive(_ id: UInt32) -> Bool { self.streams[id] != nil }
    package func localIsOpen(_ id: UInt32) -> Bool { self.streams[id]?.local == .open }
    package func remoteIsOpen(_ id: UInt32) -> Bool { self.streams[id]?.remote == .open }
    package func receiveCredit(of id: UInt32) -> UInt32 { self.streams[id]?.receiveCredit ?? 0 }
    package mutating func setNextIDForTesting(_ id: UInt32) { self.nextID = id }
}
