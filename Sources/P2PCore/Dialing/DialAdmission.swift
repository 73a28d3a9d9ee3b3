package import Multiformats

/// Which addresses a dial tries: one rule for those that a caller gives, those that the address book knows, and those that names
/// lead to.
package struct DialAdmission: Sendable {
    /// How a dial comes by an address.
    package enum Origin: Sendable, Hashable {
        /// Whoever wants the peer gave it along: back-off does not count.
        case given
        /// The address book has it, and blocks it until then.
        case known(blockedUntil: MonotonicInstant)
        /// So many names led there, one after the other; whether they may lead to an address like this one, see
        /// `AddressBook.mayLead`.
        case named(depth: Int, mayLead: Bool)
    }

    /// What becomes of an address.
    package enum Verdict: Sendable, Hashable {
        /// It is tried.
        case admitted
        /// It is not, and whoever wants the peer is told why.
        case refused(DialFailureReason)
        /// It is none of the peer's: there is nothing to tell.
        case ignored
    }

    private let own: Set<Multiaddr>
    private let hasTransport: @Sendable (Multiaddr) -> Bool

    /// - Parameters:
    ///   - own: where we listen ourselves.
    ///   - hasTransport: whether a transport of ours can use an address; it is not asked about names.
    package init(own: Set<Multiaddr>, hasTransport: @escaping @Sendable (Multiaddr) -> Bool) {
        self.own = own
        self.hasTransport = hasTransport
    }

    /// What becomes of an address that has no `/p2p` part.
    package func verdict(on address: Multiaddr, _ origin: Origin, now: MonotonicInstant) -> Verdict {
        let isName = NamedAddress(address) != nil
        if case .named(let depth, _) = origin, isName, depth >= NamedAddress.maximumDepth {
            return .refused(.other("more than \(NamedAddress.maximumDepth) names lead to one another"))
        }
        if self.own.contains(address) {
            if case .named = origin { return .refused(.other("this is our own address")) }
            return .ignored
        }
        guard self.canDial(address), !address.isUnspecified else { return .refused(.noTransport) }
        switch origin {
        case .known(let blockedUntil) where blockedUntil > now:
            return .refused(.backedOff(remaining: now.duration(to: blockedUntil)))
        case .named(depth: _, mayLead: false) where !isName:
            return .refused(
                .other("the name leads to an address that is not public, which whoever told it may not ask for"))
        case .given, .known, .named: return .admitted
        }
    }

    /// Whether a transport of ours can use an address, or what its name may lead to.
    private func canDial(_ address: Multiaddr) -> Bool {
        guard let name = NamedAddress(address) else { return self.hasTransport(address) }
        return name.isList || name.examples.contains(where: self.hasTransport)
    }
}
