import GoopCore
import LibP2P
import Synchronization

/// Lets visitors in, knows who is inside, and shows out whom the owner does not invite any more.
///
/// Every protocol that gives anything of the site passes it: files, watches, tables and their subscriptions. Whether
/// somebody may come in, and that they are inside then, is one step: nobody slips in behind a decision.
final class SiteDoor: Sendable {
    /// Those who follow what happens at the door.
    static let maximumListeners = 64

    /// Somebody who was let in, doing one thing; given back by `leave`.
    struct Visit: Sendable {
        fileprivate let number: UInt64
    }

    private struct Inside {
        let peer: PeerID
        let activity: SiteActivity
        let isListed: Bool
        let showOut: @Sendable () -> Void
    }

    private struct State {
        var audience: SiteAudience
        var table = VisitorTable()
        /// As many as streams are open, which the node bounds, and of one visitor the handlers of the protocols.
        var inside: [UInt64: Inside] = [:]
        var lastNumber: UInt64 = 0
        var listeners: [UInt64: AsyncStream<Void>.Continuation] = [:]

        func tell() {
            for listener in listeners.values { listener.yield() }
        }
    }

    private let state: Mutex<State>
    private let clock: PeerClock

    init(_ audience: SiteAudience = .everyone, clock: PeerClock = PeerClock()) {
        state = Mutex(State(audience: audience))
        self.clock = clock
    }

    /// To whom the site is shown at this moment.
    var audience: SiteAudience { state.withLock { $0.audience } }

    /// Whoever is inside, and who was lately.
    var visitors: [Visitor] {
        let now = clock.now().unixMilliseconds
        return state.withLock { $0.table.all(now: now) }
    }

    /// Lets a visitor in; nil if the owner does not invite it.
    /// - Parameter showOut: ends what it does here, at once; called at most once, from any thread.
    func enter(_ peer: PeerID, _ activity: SiteActivity, showOut: @escaping @Sendable () -> Void) -> Visit? {
        let now = clock.now().unixMilliseconds
        return state.withLock { state in
            guard state.audience.admits(peer) else { return nil }
            state.lastNumber += 1
            let isListed = state.table.began(activity, by: peer, now: now)
            state.inside[state.lastNumber] = Inside(
                peer: peer, activity: activity, isListed: isListed, showOut: showOut)
            state.tell()
            return Visit(number: state.lastNumber)
        }
    }

    /// The visitor asked for a file.
    func asked(_ path: String, in visit: Visit) {
        state.withLock { state in
            guard let inside = state.inside[visit.number] else { return }
            state.table.asked(path, by: inside.peer)
            state.tell()
        }
    }

    /// What the visitor did has ended.
    func leave(_ visit: Visit) {
        let now = clock.now().unixMilliseconds
        state.withLock { state in
            guard let inside = state.inside.removeValue(forKey: visit.number) else { return }
            if inside.isListed { state.table.ended(inside.activity, by: inside.peer, now: now) }
            state.tell()
        }
    }

    /// False once the visitor has left or was shown out.
    func isInside(_ visit: Visit) -> Bool { state.withLock { $0.inside[visit.number] != nil } }

    /// From now on the site is shown to these; who is inside and not among them is shown out before this returns.
    func open(to audience: SiteAudience) {
        let now = clock.now().unixMilliseconds
        let out = state.withLock { state in
            state.audience = audience
            let out = state.inside.filter { !audience.admits($0.value.peer) }
            for (number, inside) in out {
                state.inside[number] = nil
                if inside.isListed { state.table.ended(inside.activity, by: inside.peer, now: now) }
            }
            state.tell()
            return out
        }
        for inside in out.values { inside.showOut() }
    }

    /// Says when the audience or the visitors have changed; several changes may be told as one. Ends at once beyond the
    /// bound of listeners.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let isAdmitted = state.withLock { state in
            guard state.listeners.count < SiteDoor.maximumListeners else { return false }
            state.lastNumber += 1
            let number = state.lastNumber
            state.listeners[number] = continuation
            continuation.onTermination = { [weak self] _ in
                _ = self?.state.withLock { $0.listeners.removeValue(forKey: number) }
            }
            return true
        }
        if !isAdmitted { continuation.finish() }
        return stream
    }
}
