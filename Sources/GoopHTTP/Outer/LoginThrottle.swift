import GoopCore
import Multiformats

/// How often a password may be tried: a few times from one address, and not much oftener from all together, so that many
/// addresses cannot search either. Whoever has signed in from an address is not kept out by the others.
///
/// What counts as one address is its `holder`. Where that is an IPv6 address by itself, all of the local network together have
/// half of what all have, for one host there can have any number of them.
struct LoginThrottle: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Rate: Sendable {
        /// So many tries at once.
        var burst: Int
        /// Then one in this time.
        var interval: Duration
    }

    struct Limits: Sendable {
        var each = Rate(burst: 5, interval: .seconds(60))
        var all = Rate(burst: 20, interval: .seconds(10))
        /// Of one local network.
        var network: Rate { Rate(burst: max(1, all.burst / 2), interval: all.interval * 2) }
        /// Addresses that are remembered, and local networks; at the bound the one that has tried least is forgotten.
        var addresses = 1024
        /// Addresses that have signed in; at the bound the one whose last sign-in is the oldest is forgotten.
        var known = 64
    }

    /// Grows with time up to a burst; a try takes one.
    private struct Allowance {
        var tries: Double
        var since: Instant

        mutating func refill(_ rate: Rate, now: Instant) {
            guard now > since else { return }
            tries = min(Double(rate.burst), tries + (now - since) / rate.interval)
            since = now
        }
    }

    private let limits: Limits
    private var all: Allowance
    private var each: [IPAddress: Allowance] = [:]
    private var networks: [IPAddress: Allowance] = [:]
    /// Oldest first.
    private var known: [IPAddress] = []

    init(limits: Limits = Limits(), now: Instant) {
        self.limits = limits
        all = Allowance(tries: Double(limits.all.burst), since: now)
    }

    /// Takes one try from an address; says how long to wait if there is none left.
    mutating func attempt(from client: IPAddress?, now: Instant) -> Duration? {
        let source = Self.source(client)
        var own = each[source] ?? Allowance(tries: Double(limits.each.burst), since: now)
        own.refill(limits.each, now: now)
        all.refill(limits.all, now: now)
        guard own.tries >= 1 else { return limits.each.interval * (1 - own.tries) }
        if !known.contains(source) {
            if let wait = attempt(by: source.localNetwork, now: now) { return wait }
            all.tries -= 1
        }
        own.tries -= 1
        Self.makeRoom(for: source, in: &each, limits.each, limits.addresses, now: now)
        each[source] = own
        return nil
    }

    /// Takes one try from a local network, if it is one, when there is one for all; says how long to wait for both.
    private mutating func attempt(by network: IPAddress?, now: Instant) -> Duration? {
        var shared: Allowance?
        if let network {
            var allowance = networks[network] ?? Allowance(tries: Double(limits.network.burst), since: now)
            allowance.refill(limits.network, now: now)
            guard allowance.tries >= 1 else { return limits.network.interval * (1 - allowance.tries) }
            shared = allowance
        }
        guard all.tries >= 1 else { return limits.all.interval * (1 - all.tries) }
        if let network, var shared {
            shared.tries -= 1
            Self.makeRoom(for: network, in: &networks, limits.network, limits.addresses, now: now)
            networks[network] = shared
        }
        return nil
    }

    /// The password was right: the address starts anew.
    mutating func succeeded(from client: IPAddress?) {
        let source = Self.source(client)
        each[source] = nil
        known.removeAll { $0 == source }
        known.append(source)
        if known.count > limits.known { known.removeFirst() }
    }

    private static func source(_ client: IPAddress?) -> IPAddress { (client ?? .v4(0)).holder }

    private static func makeRoom(
        for source: IPAddress, in allowances: inout [IPAddress: Allowance], _ rate: Rate, _ limit: Int, now: Instant
    ) {
        guard allowances[source] == nil, allowances.count >= limit else { return }
        allowances = allowances.mapValues { allowance in
            var allowance = allowance
            allowance.refill(rate, now: now)
            return allowance
        }.filter { $0.value.tries < Double(rate.burst) }
        if allowances.count >= limit, let most = allowances.max(by: { $0.value.tries < $1.value.tries }) {
            allowances[most.key] = nil
        }
    }
}
