import GoopCore
import LibP2P
import Logging
import NIOPosix
import Synchronization

/// Tells those who have this peer's site open which of its files change.
///
/// The folder is looked after only while somebody listens: ten times a second what the kernel has queued, or every two
/// seconds by comparing where the kernel cannot help. So changes within a tenth of a second are told together. What cannot be
/// watched closely is logged once, with what the owner can do.
final class SiteWatch: Sendable {
    /// The most listeners: visitors have at most `WatchService.shares.total`, which leaves 64 to the owner's pages. Of these
    /// the viewer has half as many for one site (`ViewerConfiguration.maximumEventStreams`), so strangers take none of them.
    static let maximumListeners = WatchService.shares.total + 64

    /// After so many comparisons the kernel is asked again.
    static let comparisonsToTry = 30
    /// Between two comparisons so many times as long as the last one took passes at least: a large folder takes seconds.
    static let restPerComparison = 10

    private struct State {
        var listeners: [Int: AsyncStream<SiteChanges>.Continuation] = [:]
        var lastNumber = 0
        var watcher: Task<Void, Never>?
        /// Tells the watchers apart, for one that was cancelled may still be on its way.
        var watcherNumber = 0
        var isWatching = false
        /// What the owner has been told of already.
        var logged: FolderWatch.Shortfalls = []
        /// Listeners that came before the folder was watched.
        var waiting: [AsyncStream<Void>.Continuation] = []

        mutating func begins() {
            for listener in waiting { listener.finish() }
            waiting = []
        }
    }

    private let folder: SiteFolder
    private let interval: Duration
    private let comparingInterval: Duration
    private let usesKernel: Bool
    private let logger: Logger
    private let state = Mutex(State())

    init(
        folder: SiteFolder, interval: Duration = .milliseconds(100), comparingInterval: Duration = .seconds(2),
        usesKernel: Bool = true, logger: Logger
    ) {
        self.folder = folder
        self.interval = interval
        self.comparingInterval = comparingInterval
        self.usesKernel = usesKernel
        self.logger = logger
    }

    /// Changes from now on. A listener that reads too slowly gets one "something changed" for what it missed.
    /// - Throws: `SiteError` of kind `.busy` at the most listeners.
    func changes() async throws(SiteError) -> AsyncStream<SiteChanges> {
        let (stream, continuation) = AsyncStream.makeStream(of: SiteChanges.self, bufferingPolicy: .bufferingNewest(8))
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        let isAdmitted = state.withLock { state in
            guard state.listeners.count < SiteWatch.maximumListeners else { return false }
            state.lastNumber += 1
            let number = state.lastNumber
            state.listeners[number] = continuation
            continuation.onTermination = { [weak self] _ in self?.leave(number) }
            if state.isWatching { isReady.finish() } else { state.waiting.append(isReady) }
            if state.watcher == nil {
                state.watcherNumber += 1
                state.watcher = Task { [number = state.watcherNumber] in await self.watch(number) }
            }
            return true
        }
        guard isAdmitted else { throw SiteError(kind: .busy, detail: "too many watch this site") }
        // What changes behind this line is told.
        for await _ in ready {}
        return stream
    }

    private func leave(_ number: Int) {
        state.withLock { state in
            state.listeners[number] = nil
            guard state.listeners.isEmpty else { return }
            state.watcher?.cancel()
            state.watcher = nil
            state.isWatching = false
            state.begins()
        }
    }

    private func began(_ number: Int) {
        state.withLock { state in
            guard state.watcher != nil, state.watcherNumber == number else { return }
            state.isWatching = true
            state.begins()
        }
    }

    private func watch(_ number: Int) async {
        let box = WatchBox()
        let (folder, usesKernel) = (folder, usesKernel)
        do {
            try await NIOThreadPool.singleton.runIfActive { box.open(folder, usesKernel: usesKernel) }
            began(number)
            var comparisons = 0
            var took = Duration.zero
            while !Task.isCancelled {
                report(box.shortfalls)
                // The kernel queues what happens; it is read in steps, so that a burst of changes is told as one.
                try await Task.sleep(
                    for: box.isComparing ? SiteWatch.rest(comparingInterval, after: took) : interval)
                let start = ContinuousClock.now
                let changes = try await NIOThreadPool.singleton.runIfActive { box.changes() }
                took = ContinuousClock.now - start
                if !changes.isEmpty { tell(changes) }
                // The kernel may help again, once the folder is back under its name say, and whoever listens may stay for days.
                comparisons = box.isComparing ? comparisons + 1 : 0
                guard usesKernel, comparisons == SiteWatch.comparisonsToTry else { continue }
                comparisons = 0
                if try await NIOThreadPool.singleton.runIfActive({ box.takeKernel(folder) }) { tell(.unnamed) }
            }
        } catch {
            // Cancelled because nobody listens, or the program ends; then nobody is to wait.
            began(number)
        }
    }

    /// How long passes before the next comparison.
    static func rest(_ interval: Duration, after took: Duration) -> Duration { max(interval, took * restPerComparison) }

    /// Says what is watched less closely than the owner may think.
    private func report(_ shortfalls: FolderWatch.Shortfalls) {
        let news = state.withLock { state in
            defer { state.logged.formUnion(shortfalls) }
            return shortfalls.subtracting(state.logged)
        }
        if news.contains(.unnamedFiles) {
            logger.warning(
                "the site has very many files: open pages hear that some have changed, not which",
                metadata: [
                    "file": "\(folder.root)", "most": "\(FolderWatch.maximumFiles)",
                    "next": "raise fs.inotify.max_user_watches, or have at most \(FolderWatch.maximumFolders) folders",
                ])
        }
        if news.contains(.deepFolders) {
            logger.warning(
                "the site has very deep folders: open pages do not hear of changes in them",
                metadata: [
                    "file": "\(folder.root)", "most": "\(FolderWatch.maximumDepth)", "next": "move them further up",
                ])
        }
    }

    private func tell(_ changes: SiteChanges) {
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners {
            if case .dropped = listener.yield(changes) { listener.yield(.unnamed) }
        }
    }
}

/// Carries the watch between threads of the pool. `FolderWatch` has state and no lock, and needs none: one task makes this box,
/// and waits for each call before it makes the next.
private final class WatchBox: @unchecked Sendable {
    private var watch: FolderWatch?

    func open(_ folder: SiteFolder, usesKernel: Bool) { watch = folder.watch(usesKernel: usesKernel) }
    /// Watches anew; false, and all stays as it was, where the kernel does not help.
    func takeKernel(_ folder: SiteFolder) -> Bool {
        let fresh = folder.watch(usesKernel: true)
        guard !fresh.isComparing else { return false }
        watch = fresh
        return true
    }

    func changes() -> SiteChanges { watch?.changes() ?? SiteChanges() }
    var isComparing: Bool { watch?.isComparing ?? true }
    var shortfalls: FolderWatch.Shortfalls { watch?.shortfalls ?? [] }
}
