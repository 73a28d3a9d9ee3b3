import GoopCore
import Synchronization

/// Reads the peer changes of the backend once and hands them to every open page.
final class PeerFeed: Sendable {
    private struct State {
        var mailboxes: [Int: EventMailbox] = [:]
        var nextKey = 0
        var isClosed = false
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: open pages at once.
    init(limit: Int) {
        self.limit = limit
    }

    /// A place for a new page; nil at the limit or after `close`.
    func subscribe() -> EventSubscription? {
        let mailbox = EventMailbox()
        let key: Int? = state.withLock { state in
            guard !state.isClosed, state.mailboxes.count < limit else { return nil }
            let key = state.nextKey
            state.nextKey &+= 1
            state.mailboxes[key] = mailbox
            return key
        }
        return key.map { EventSubscription(feed: self, key: $0, mailbox: mailbox) }
    }

    fileprivate func unsubscribe(_ key: Int) {
        state.withLock { $0.mailboxes.removeValue(forKey: key) }?.close()
    }

    func publish(_ change: PeerChange) {
        for mailbox in all() { mailbox.put(change) }
    }

    /// Changes may have been missed: every open page gets the whole list.
    func miss() {
        for mailbox in all() { mailbox.miss() }
    }

    /// Makes every open page get a sign of life.
    func beat() {
        for mailbox in all() { mailbox.beat() }
    }

    /// Ends every stream; nobody can subscribe any more.
    func close() {
        let mailboxes = state.withLock { state in
            state.isClosed = true
            return Array(state.mailboxes.values)
        }
        for mailbox in mailboxes { mailbox.close() }
    }

    private func all() -> [EventMailbox] {
        state.withLock { Array($0.mailboxes.values) }
    }
}

/// The place of one open page in the feed; given back when the last reference goes, also if the page's connection
/// broke before its stream began.
final class EventSubscription: Sendable {
    let mailbox: EventMailbox
    private let feed: PeerFeed
    private let key: Int

    fileprivate init(feed: PeerFeed, key: Int, mailbox: EventMailbox) {
        self.feed = feed
        self.key = key
        self.mailbox = mailbox
    }

    deinit {
        feed.unsubscribe(key)
    }
}
