import Multiformats
import NIOCore
import Synchronization

/// The open connections of the viewer: the place where their number is limited and where a shutdown finds them.
final class ConnectionRegistry: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        /// How many each address has; empty unless their number is limited.
        var ofOneAddress: [IPAddress: Int] = [:]
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
    /// - Parameter address: whose limit it counts to; nil: nobody's.
    func admit(_ channel: any Channel, from address: IPAddress? = nil) -> Bool {
        let key = ObjectIdentifier(channel)
        let isAdmitted = state.withLock { state in
            guard !state.isClosing, state.channels.count < limit else { return false }
            if let address {
                guard state.ofOneAddress[address, default: 0] < limitOfOneAddress else { return false }
                state.ofOneAddress[address, default: 0] += 1
            }
            state.channels[key] = channel
            return true
        }
        if isAdmitted {
            channel.closeFuture.whenComplete { _ in
                self.state.withLock { state in
                    state.channels[key] = nil
                    guard let address, let count = state.ofOneAddress[address] else { return }
                    state.ofOneAddress[address] = count > 1 ? count - 1 : nil
                }
            }
        }
        return isAdmitted
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
