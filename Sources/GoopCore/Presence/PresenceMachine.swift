/// Decides when this peer speaks on the presence topic, and with which time stamp.
///
/// `online` once at start, `update` at every heartbeat, soon after its addresses or its profile changed, and soon after
/// somebody new listens; `offline` at the end, and when the owner hides. What triggers an update only brings it forward: several causes make one
/// message. Updates for new listeners are spread at random and at most one a second, so that many arrivals cause no
/// storm.
public struct PresenceMachine: Sendable {
    /// The pace.
    public struct Configuration: Sendable, Hashable {
        /// Time between updates without any cause.
        public var heartbeat: Duration
        /// Least time between two updates for new listeners.
        public var arrivalInterval: Duration
        /// The random delay of an update for a new listener grows by this much for each known listener.
        public var arrivalJitterPerListener: Duration
        /// The most that the random delay can be.
        public var maximumArrivalJitter: Duration
        /// Wait after a change of addresses or profile, which gathers several into one message.
        public var changeDelay: Duration

        /// Makes a pace; only the heartbeat is the owner's choice.
        public init(
            heartbeat: Duration = .seconds(5), arrivalInterval: Duration = .seconds(1),
            arrivalJitterPerListener: Duration = .milliseconds(5),
            maximumArrivalJitter: Duration = .milliseconds(500), changeDelay: Duration = .milliseconds(100)
        ) {
            self.heartbeat = heartbeat
            self.arrivalInterval = arrivalInterval
            self.arrivalJitterPerListener = arrivalJitterPerListener
            self.maximumArrivalJitter = maximumArrivalJitter
            self.changeDelay = changeDelay
        }
    }

    /// A message to be published at once.
    public struct Publication: Sendable, Hashable {
        /// What the message is about.
        public var kind: PresenceMessage.Kind
        /// Greater than that of every earlier publication, also when the clock was set back.
        public var timestamp: Int64

        /// Makes a publication.
        public init(kind: PresenceMessage.Kind, timestamp: Int64) {
            self.kind = kind
            self.timestamp = timestamp
        }
    }

    private enum State: Sendable {
        case idle
        case online(due: Duration)
        /// Runs, and says nothing, because the owner wants it so.
        case hidden
        case stopped
    }

    private let configuration: Configuration
    private var state = State.idle
    private var lastTimestamp: Int64 = 0
    private var lastArrivalUpdate: Duration?

    /// Makes a machine that says nothing before `start`.
    public init(configuration: Configuration) { self.configuration = configuration }

    /// When `timerFired` is to be called next; nil when there is nothing to wait for.
    public var deadline: Duration? { if case .online(let due) = state { due } else { nil } }

    /// The peer is up: announces it. A second start, or one after the stop, does nothing.
    public mutating func start(now: Moment) -> Publication? {
        guard case .idle = state else { return nil }
        state = .online(due: now.uptime + configuration.heartbeat)
        return publication(.online, now: now)
    }

    /// Publishes the update that is due, if one is.
    public mutating func timerFired(now: Moment) -> Publication? {
        guard case .online(let due) = state, now.uptime >= due else { return nil }
        state = .online(due: now.uptime + configuration.heartbeat)
        return publication(.update, now: now)
    }

    /// Somebody who did not listen before listens now.
    /// - Parameter listeners: how many listen in all; more of them mean a longer random delay.
    public mutating func listenerAppeared(
        listeners: Int, now: Moment, using generator: inout some RandomNumberGenerator
    ) {
        guard case .online(let due) = state else { return }
        let spread = min(
            configuration.arrivalJitterPerListener * max(1, min(listeners, 100_000)),
            configuration.maximumArrivalJitter)
        var wanted = now.uptime + spread * Double.random(in: 0..<1, using: &generator)
        if let lastArrivalUpdate { wanted = max(wanted, lastArrivalUpdate + configuration.arrivalInterval) }
        guard wanted < due else { return }
        lastArrivalUpdate = wanted
        state = .online(due: wanted)
    }

    /// Addresses or profile changed.
    public mutating func profileChanged(now: Moment) {
        guard case .online(let due) = state else { return }
        state = .online(due: min(due, now.uptime + configuration.changeDelay))
    }

    /// The owner wants nobody to be told that this peer is here: says `offline` if others were told, and nothing until `appear`.
    /// Before the start it makes that a silent one.
    public mutating func hide(now: Moment) -> Publication? {
        switch state {
        case .stopped, .hidden: return nil
        case .idle:
            state = .hidden
            return nil
        case .online:
            state = .hidden
            return publication(.offline, now: now)
        }
    }

    /// The owner hides no longer: announces the peer as at the start.
    public mutating func appear(now: Moment) -> Publication? {
        guard case .hidden = state else { return nil }
        state = .idle
        return start(now: now)
    }

    /// The peer goes down: says goodbye, once, and nothing after it.
    public mutating func stop(now: Moment) -> Publication? {
        defer { state = .stopped }
        guard case .online = state else { return nil }
        return publication(.offline, now: now)
    }

    private mutating func publication(_ kind: PresenceMessage.Kind, now: Moment) -> Publication {
        lastTimestamp = max(now.unixMilliseconds, lastTimestamp &+ 1)
        return Publication(kind: kind, timestamp: lastTimestamp)
    }
}
