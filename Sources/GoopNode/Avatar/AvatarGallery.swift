import GoopCore
import LibP2P

/// The pictures of other peers, in memory only: whom somebody has looked at, their disk does not say.
///
/// One fetch at a time for a peer and a hash, few in all. A picture that could not be had is not asked for again for a while.
actor AvatarGallery {
    /// The bounds.
    struct Limits: Sendable {
        /// Bytes of all pictures.
        var bytes = 16 << 20
        /// Pictures; the one that was shown longest ago goes.
        var pictures = 1024
        /// Fetches at a time.
        var fetches = 8
        /// Fetches that wait for their turn; a further one is not made.
        var waiting = 64
        /// How long a failure is remembered.
        var failureLifetime = Duration.seconds(60)
        /// Failures that are remembered; at the bound they are forgotten.
        var failures = 4096
    }

    private struct Wanted: Hashable {
        let peer: PeerID
        let hash: String
    }

    private struct Kept {
        let avatar: Avatar
        var shown: UInt64
    }

    private let limits: Limits
    private let fetch: @Sendable (_ hash: String, _ peer: PeerID) async throws -> Avatar
    private var kept: [PeerID: Kept] = [:]
    /// Bytes of all that is kept.
    private(set) var bytes = 0
    private var showings: UInt64 = 0
    private var failures: [PeerID: (hash: String, until: ContinuousClock.Instant)] = [:]
    private var fetching: [Wanted: Task<Avatar?, Never>] = [:]
    private var running = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameter fetch: gives a picture with that hash, and ends within a bounded time.
    init(
        limits: Limits = Limits(), fetch: @escaping @Sendable (_ hash: String, _ peer: PeerID) async throws -> Avatar
    ) {
        self.limits = limits
        self.fetch = fetch
    }

    /// The picture that a peer has announced; nil if it cannot be had now.
    /// - Parameter isReachable: whether the peer may be asked for what is not here.
    func picture(_ hash: String, of peer: PeerID, isReachable: Bool) async -> Avatar? {
        if let avatar = kept[peer]?.avatar, avatar.hash == hash {
            showings += 1
            kept[peer]?.shown = showings
            return avatar
        }
        if let failure = failures[peer], failure.hash == hash, ContinuousClock.now < failure.until { return nil }
        let wanted = Wanted(peer: peer, hash: hash)
        if let task = fetching[wanted] { return await task.value }
        guard isReachable, running < limits.fetches || waiting.count < limits.waiting else { return nil }
        let task = Task { await self.ask(for: wanted) }
        fetching[wanted] = task
        return await task.value
    }

    private func ask(for wanted: Wanted) async -> Avatar? {
        defer { fetching[wanted] = nil }
        if running < limits.fetches {
            running += 1
        } else {
            // Whoever leaves hands its place over.
            await withCheckedContinuation { waiting.append($0) }
        }
        defer { if waiting.isEmpty { running -= 1 } else { waiting.removeFirst().resume() } }
        do {
            let avatar = try await fetch(wanted.hash, wanted.peer)
            guard avatar.hash == wanted.hash else { throw AvatarFault.wrongHash }
            keep(avatar, of: wanted.peer)
            return avatar
        } catch {
            remember(wanted)
            return nil
        }
    }

    private func keep(_ avatar: Avatar, of peer: PeerID) {
        drop(peer)
        failures[peer] = nil
        showings += 1
        kept[peer] = Kept(avatar: avatar, shown: showings)
        bytes += avatar.bytes.count
        while bytes > limits.bytes || kept.count > limits.pictures {
            guard let oldest = kept.min(by: { $0.value.shown < $1.value.shown })?.key else { break }
            drop(oldest)
        }
    }

    private func drop(_ peer: PeerID) {
        guard let old = kept.removeValue(forKey: peer) else { return }
        bytes -= old.avatar.bytes.count
    }

    private func remember(_ wanted: Wanted) {
        let now = ContinuousClock.now
        if failures.count >= limits.failures {
            failures = failures.filter { $0.value.until > now }
            if failures.count >= limits.failures { failures = [:] }
        }
        failures[wanted.peer] = (wanted.hash, now + limits.failureLifetime)
    }
}
