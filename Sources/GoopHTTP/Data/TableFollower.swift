import GoopCore
import Synchronization

/// Watches the tables of one event stream, each for as long as `WatchedTables` says, and puts what happens in them into the
/// mailbox of the stream.
final class TableFollower: Sendable {
    private let names: [String]
    private let mailbox: ChangeMailbox
    private let open: @Sendable (String) async throws(DataError) -> DataEvents.Changes
    private let tables: Mutex<WatchedTables>

    /// - Parameters:
    ///   - names: each once.
    ///   - pauses: between two tries to watch a table: the shortest, and the longest.
    ///   - open: begins to watch one of them.
    init(
        _ names: [String], pauses: ClosedRange<Duration>, into mailbox: ChangeMailbox,
        open: @escaping @Sendable (String) async throws(DataError) -> DataEvents.Changes
    ) {
        self.names = names
        self.mailbox = mailbox
        self.open = open
        tables = Mutex(WatchedTables(names, pauses: pauses))
    }

    /// Follows all, until no changes come any more. Cancelled when the page goes.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for name in names { group.addTask { await self.follow(name) } }
        }
    }

    private func follow(_ name: String) async {
        while true {
            let reason = await watch(name)
            guard case .again(let pause) = end(name, because: reason) else { return }
            do { try await waitFor(pause) } catch { return }
        }
    }

    /// Puts what happens in one table into the mailbox.
    /// - Returns: why no more comes.
    private func watch(_ name: String) async -> DataError {
        do {
            let changes = try await open(name)
            // Told in the order in which it is decided, as the ends are.
            let isOpen = tables.withLock { tables in
                guard tables.opened(name, now: .now) else { return false }
                mailbox.ready(name)
                return true
            }
            guard isOpen else { return DataError(code: .unreachable, message: "the stream has ended", detail: "") }
            for try await var change in changes {
                // The page tells its tables apart by the names that it gave, whatever the case of their letters is.
                if names.count > 1 { change.table = name }
                mailbox.put(change)
            }
            return DataError(code: .unreachable, message: "the owner ended the stream", detail: name)
        } catch let error as DataError {
            return error
        } catch {
            return DataError(code: .unreachable, message: "the connection to the owner broke", detail: "")
        }
    }

    private func end(_ name: String, because reason: DataError) -> WatchedTables.Outcome {
        tables.withLock { tables in
            let outcome = tables.ended(name, because: reason, now: .now)
            switch outcome {
            case .again: mailbox.interrupt(name, reason)
            case .lost(let losses): for loss in losses { mailbox.end(loss.table, loss.reason) }
            }
            return outcome
        }
    }
}
