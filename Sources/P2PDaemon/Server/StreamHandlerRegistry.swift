import LibP2P
import Synchronization

/// Which client serves the streams that other peers open, by protocol.
///
/// A registration lasts as long as the control connection that made it. Of several for one protocol the newest is used,
/// unless all are balanced: then they take turns.
final class StreamHandlerRegistry: Sendable {
    /// Registrations at one time; a further one is refused.
    static let maximumRegistrations = 4_096

    struct Registration {
        var owner: UInt64
        var address: ControlAddress
        var isBalanced: Bool
    }

    private struct State {
        var byProtocol: [ProtocolID: [Registration]] = [:]
        var turns: [ProtocolID: Int] = [:]
        var count = 0
    }

    private let state = Mutex(State())

    /// Adds a client for each of the protocols, or for none of them if there are too many.
    ///
    /// - Parameter owner: the control connection.
    /// - Returns: the protocols that nobody served before; `nil` if it was refused.
    func add(
        _ protocols: [ProtocolID], at address: ControlAddress, isBalanced: Bool, owner: UInt64
    ) -> [ProtocolID]? {
        state.withLock { state in
            guard state.count + protocols.count <= Self.maximumRegistrations else { return nil }
            var new: [ProtocolID] = []
            for each in protocols {
                if state.byProtocol[each] == nil { new.append(each) }
                state.byProtocol[each, default: []].append(
                    Registration(owner: owner, address: address, isBalanced: isBalanced))
                state.count += 1
            }
            return new
        }
    }

    /// Takes away all registrations of a control connection that has ended.
    ///
    /// - Returns: the protocols that nobody serves any more.
    func removeAll(of owner: UInt64) -> [ProtocolID] {
        state.withLock { state in
            var gone: [ProtocolID] = []
            for (name, registrations) in state.byProtocol {
                let left = registrations.filter { $0.owner != owner }
                state.count -= registrations.count - left.count
                state.byProtocol[name] = left.isEmpty ? nil : left
                if left.isEmpty {
                    state.turns[name] = nil
                    gone.append(name)
                }
            }
            return gone
        }
    }

    /// The client that gets the next stream of a protocol.
    func next(for protocolID: ProtocolID) -> ControlAddress? {
        state.withLock { state in
            guard let registrations = state.byProtocol[protocolID], let newest = registrations.last else { return nil }
            guard registrations.allSatisfy(\.isBalanced) else { return newest.address }
            let turn = state.turns[protocolID, default: 0] % registrations.count
            state.turns[protocolID] = turn + 1
            return registrations[turn].address
        }
    }
}
