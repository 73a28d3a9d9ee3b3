import Synchronization

/// What waits for one reader that may be slow: one value into which everything that happens is merged, and a wake-up.
///
/// A queue of events would lose some when it is full, and a sign of life could push out a change; here a sign of life is a
/// wake-up with nothing waiting. How much may wait is for `Waiting` to bound.
package final class Mailbox<Waiting: Sendable>: Sendable {
    /// Wakes the reader; holds one wake-up at most. Ends when the mailbox is closed.
    package let wakeUps: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let empty: Waiting
    private let waiting: Mutex<Waiting>

    /// - Parameter empty: what waits when nothing has happened.
    package init(_ empty: Waiting) {
        self.empty = empty
        waiting = Mutex(empty)
        (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Merges something that happened into what waits, and wakes the reader.
    package func put(_ merge: (inout Waiting) -> Void) {
        waiting.withLock { merge(&$0) }
        wake.yield()
    }

    /// Wakes the reader though nothing may have happened: a sign of life is due.
    package func beat() {
        wake.yield()
    }

    /// No more wake-ups after those that wait.
    package func close() {
        wake.finish()
    }

    /// Takes everything that waits.
    package func take() -> Waiting {
        waiting.withLock { waiting in
            let taken = waiting
            waiting = empty
            return taken
        }
    }
}
