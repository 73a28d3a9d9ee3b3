import Multiformats
import NIOCore
import Synchronization

/// The open connections of the viewer: the place where their number is limited and where a shutdown finds them.
final class ConnectionRegistry: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        /// How many each holder has; empty unless their number is limited.
        var ofOneAddress: [IPAddress: Int] = [:]
        /// How many each local network has where its addresses count for themselves.
        var ofOneNetwork: [IPAddress: Int] = [:]
        var isClosing = false
    }

    private let limit: Int
    private let limitOfOneAddress: Int
    private let state = Mutex(State())

    init(limit: Int, limitOfOneAddress: Int = .max) {
        self.limit = limit
        self.limitOfOneAddress = limitOfOneAddress
    }

    /// Takes a new connection in; false when a limit is reached or the viewer is closing.
    /// - Parameter address: where it comes from: it counts to its holder, and of a local network with IPv6 that gets half of all;
    ///   nil: to nobody.
    func admit(_ channel: any Channel, from address: IPAddress? = nil) -> Bool {
        let key = ObjectIdentifier(channel)
        let (holder, network) = (address?.holder, address?.localNetwork)
        let isAdmitted = state.withLock { state in
            guard !state.isClosing, state.channels.count < limit else { return false }
            if let holder, state.ofOneAddress[holder, default: 0] >= limitOfOneAddress { return false }
            if let network, state.ofOneNetwork[network, default: 0] >= max(1, limit / 2) { return false }
            if let holder { state.ofOneAddress[holder, default: 0] += 1 }
            if let network { state.ofOneNetwork[network, default: 0] += 1 }
            state.channels[key] = channel
            return true
        }
        if isAdmitted {
            channel.closeFuture.whenComplete { _ in
                self.state.withLock { state in
                    state.channels[key] = nil
                    if let holder { Self.release(holder, in: &state.ofOneAddress) }
                    if let network { Self.release(network, in: &state.ofOneNetwork) }
                }
            }
        }
        return isAdmitted
    }

    private static func release(_ address: IPAddress, in counts: inout [IPAddress: Int]) {
        guard let count = counts[address] else { return }
        counts[address] = count > 1 ? count - 1 : nil
    }

    /// Lets requests in progress finish and closes idle connections; nothing new is admitted.
    func quiesce() {
        for channel in beginClosing() {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Closes what is left.
    func closeAll() {
        for channel in beginClosing() {
            channel.close(promise: nil)
        }
    }

    private func beginClosing() -> [any Channel] {
        state.withLock { state in
            state.isClosing = true
            return Array(state.channels.values)
        }
    }
}
