import Multiformats
import NIOCore
import P2PCore

extension Swarm {
    /// Whether a transport of ours can use an address, or what its name may lead to.
    func canDial(_ address: Multiaddr) -> Bool {
        func isUsable(_ address: Multiaddr) -> Bool { self.transports.contains { $0.canDial(address) } }
        guard let name = NamedAddress(address) else { return isUsable(address) }
        return name.isList || name.examples.contains(where: isUsable)
    }

    /// Finds out where the name of an attempt leads. The attempt holds its permit and its reservation until that is known.
    func lookUp(_ request: DialRequest, for order: AttemptOrder) {
        self.configuration.names.resolve(request).whenComplete { [weak self] result in
            switch result {
            case .success(let found): self?.resolved(order, found)
            case .failure(let error): self?.failed(order, (error as? DialFailureReason) ?? .other(brief(error)))
            }
        }
    }

    private func resolved(_ order: AttemptOrder, _ found: [Multiaddr]) {
        // Names are strangers', and a zone may say anything: none but `localhost` leads to our own machine's doors.
        let leads = order.known.isLoopback ? found : found.filter { !$0.isLoopback && !$0.isUnspecified }
        guard !leads.isEmpty else {
            return self.failed(order, .other(Self.whyNowhere(order.address, foundNothing: found.isEmpty)))
        }
        let now = MonotonicInstant.now()
        self.update { state, effects in
            guard state.isUnderWay(order), self.endAttempt(order.number, of: order.peer, in: &state) != nil,
                var dial = state.dials[order.peer]
            else { return }
            var refused: [(address: Multiaddr, reason: DialFailureReason)] = []
            var usable: [Multiaddr] = []
            for address in leads {
                if NamedAddress(address) != nil, order.names.count + 1 >= NamedAddress.maximumDepth {
                    refused.append(
                        (address, .other("more than \(NamedAddress.maximumDepth) names lead to one another")))
                } else if state.listeners.contains(where: { $0.address == address }) {
                    refused.append((address, .other("this is our own address")))
                } else if !self.canDial(address) || address.isUnspecified {
                    refused.append((address, .noTransport))
                } else if NamedAddress(address) == nil, !state.mayLead(order, to: address) {
                    refused.append((address, .other("a name that the peer told leads into a private network")))
                } else {
                    usable.append(address)
                }
            }
            let actions = dial.machine.resolved(
                order.number, to: AddressRanking.rank(usable), refused: refused, permits: 0, now: now)
            // Where it leads to what is tried already, that address succeeds or fails, not the name.
            if usable.isEmpty, !dial.machine.isTrying(order.known) {
                state.book.dialFailed(order.known, of: order.peer, now: now)
            }
            state.dials[order.peer] = dial
            effects += self.apply(actions, to: order.peer, in: &state)
        }
    }

    private static func whyNowhere(_ address: Multiaddr, foundNothing: Bool) -> String {
        guard foundNothing else {
            return "the name leads to this machine: dial /ip4/127.0.0.1 or localhost instead"
        }
        return NamedAddress(address)?.isList == true
            ? "the name has no dnsaddr record of this peer" : "the name has no address"
    }
}
