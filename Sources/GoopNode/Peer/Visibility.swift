import Synchronization

/// Whether the owner wants nobody to be told that this peer is here.
final class Visibility: Sendable {
    private let hidden: Mutex<Bool>
    /// Says when it has changed; for one reader.
    let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    init(isHidden: Bool) {
        hidden = Mutex(isHidden)
        (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    var isHidden: Bool { hidden.withLock { $0 } }

    func set(hidden isHidden: Bool) {
        let isNew = hidden.withLock { hidden in
            defer { hidden = isHidden }
            return hidden != isHidden
        }
        if isNew { changed.yield() }
    }
}
