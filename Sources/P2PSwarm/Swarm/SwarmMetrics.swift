import Metrics
import P2PCore

/// The swarm's counts, for whoever collects metrics. Labels are closed sets: outcomes and limits, never peers.
struct SwarmMetrics: Sendable {
    private let dialled = Counter(label: "goop_swarm_dial_attempts_total", dimensions: [("outcome", "connected")])
    private let failed: [String: Counter]
    private let refusals: [LimitName: Counter]
    private let opened: [Direction: Counter]
    private let closed = Counter(label: "goop_swarm_connections_closed_total")
    private let upgradeFailures = Counter(label: "goop_swarm_inbound_upgrades_failed_total")

    init() {
        let outcomes = ["refused", "timed_out", "unreachable", "wrong_peer", "upgrade_failed", "limit", "other"]
        self.failed = Dictionary(
            uniqueKeysWithValues: outcomes.map {
                ($0, Counter(label: "goop_swarm_dial_attempts_total", dimensions: [("outcome", $0)]))
            })
        self.refusals = Dictionary(
            uniqueKeysWithValues: LimitName.allCases.map {
                ($0, Counter(label: "goop_swarm_refusals_total", dimensions: [("limit", $0.rawValue)]))
            })
        self.opened = [
            .inbound: Counter(label: "goop_swarm_connections_opened_total", dimensions: [("direction", "inbound")]),
            .outbound: Counter(label: "goop_swarm_connections_opened_total", dimensions: [("direction", "outbound")]),
        ]
    }

    func attemptSucceeded() { self.dialled.increment() }

    func attemptFailed(_ reason: DialFailureReason) {
        let outcome =
            switch reason {
            case .refused: "refused"
            case .timedOut: "timed_out"
            case .unreachable: "unreachable"
            case .wrongPeer: "wrong_peer"
            case .upgradeFailed: "upgrade_failed"
            case .limit: "limit"
            case .noTransport, .backedOff, .abandoned, .other: "other"
            }
        self.failed[outcome]?.increment()
    }

    func refused(_ limit: LimitName) { self.refusals[limit]?.increment() }

    func connectionOpened(_ direction: Direction) { self.opened[direction]?.increment() }

    func connectionClosed() { self.closed.increment() }

    func inboundUpgradeFailed() { self.upgradeFailures.increment() }
}
