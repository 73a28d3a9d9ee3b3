import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// The file of `-frameLog`: lines of JSON, one for each frame.
///
/// Lines are gathered in memory and written by a thread of their own, so that a slow disk costs lines, not time on an event
/// loop. What is dropped, because the file or the memory for lines that wait is full or the disk refuses, is counted; the count
/// is a line of its own (`{"ms":…,"dropped":…}`) where there is room again, at the latest at the end.
final class FrameLog: Sendable {
    /// The bound of the file.
    static let maximumBytes = 64 << 20
    /// The bound of what waits for the disk.
    static let maximumWaiting = 1 << 20
    /// Kept free at the end of the file, for the last count.
    private static let reserve = 64

    private struct State {
        var waiting: [UInt8] = []
        /// Bytes written or waiting.
        var accepted = 0
        var isWriting = false
        /// Lines since the last count in the file, and in all.
        var uncounted = 0
        var dropped = 0
        var hasFailed = false
        var isClosed = false
        var connections = 0
    }

    private let descriptor: CInt
    private let maximumBytes: Int
    private let maximumWaiting: Int
    private let start = NIODeadline.now()
    private let state = Mutex(State())
    /// One thread: batches leave in order.
    private let writer = NIOThreadPool(numberOfThreads: 1)

    /// Opens or makes the file, for its owner only, and empties it.
    ///
    /// - Throws: `.unusableFrameLog` if it cannot be opened, or is there as something else than a regular file.
    convenience init(path: String, maximumBytes: Int = FrameLog.maximumBytes) throws(DaemonStartError) {
        // Not through a link, and without waiting for the other end of a pipe.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = errno == ELOOP ? "it is a link" : String(cString: strerror(errno))
            throw .unusableFrameLog(path: path, reason: reason)
        }
        var status = stat()
        var reason: String?
        if fstat(descriptor, &status) != 0 {
            reason = String(cString: strerror(errno))
        } else if status.st_mode & S_IFMT != S_IFREG {
            reason = "it is no regular file"
        } else if fchmod(descriptor, 0o600) != 0 || ftruncate(descriptor, 0) != 0 {
            reason = String(cString: strerror(errno))
        }
        if let reason {
            Glibc.close(descriptor)
            throw .unusableFrameLog(path: path, reason: reason)
        }
        self.init(descriptor: descriptor, maximumBytes: maximumBytes)
    }

    /// Writes to a descriptor that is open, and closes it in the end.
    init(
        descriptor: CInt, maximumBytes: Int = FrameLog.maximumBytes, maximumWaiting: Int = FrameLog.maximumWaiting
    ) {
        self.descriptor = descriptor
        self.maximumBytes = maximumBytes
        self.maximumWaiting = maximumWaiting
        self.writer.start()
    }

    /// How many lines found no room.
    var dropped: Int { self.state.withLock { $0.dropped } }

    /// A number for a connection.
    func takeConnectionNumber() -> Int {
        self.state.withLock { state in
            state.connections += 1
            return state.connections
        }
    }

    /// Takes the fields of a line, behind its time; or counts it, if there is no room. Never waits.
    func append(_ fields: String) {
        let line = "{\(self.time),\(fields)}\n"
        let beginsWriting = self.state.withLock { state -> Bool in
            guard !state.isClosed else { return false }
            var text = line
            if state.uncounted > 0 { text = "{\(self.time),\"dropped\":\(state.uncounted)}\n" + text }
            let size = text.utf8.count
            guard !state.hasFailed, state.accepted + size <= self.maximumBytes - Self.reserve,
                state.waiting.count + size <= self.maximumWaiting
            else {
                state.uncounted += 1
                state.dropped += 1
                return false
            }
            state.uncounted = 0
            return Self.queue(text, in: &state)
        }
        if beginsWriting { self.writer.submit { _ in self.write() } }
    }

    /// Writes what waits, and the last count, and closes the file. Nothing is taken from here on.
    func close() async {
        let mustWrite = self.state.withLock { state -> Bool? in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            guard state.uncounted > 0, !state.hasFailed else { return false }
            return Self.queue("{\(self.time),\"dropped\":\(state.uncounted)}\n", in: &state)
        }
        guard let mustWrite else { return }
        // Its own task: what waits is written even if this one is cancelled.
        await Task {
            // Behind whatever is being written: there is one thread. It is active until the next line, so neither fails.
            try? await self.writer.runIfActive {
                if mustWrite { self.write() }
                Glibc.close(self.descriptor)
            }
            try? await self.writer.shutdownGracefully()
        }.value
    }

    /// Whether a writer has to be started for it.
    private static func queue(_ text: String, in state: inout State) -> Bool {
        state.waiting.append(contentsOf: text.utf8)
        state.accepted += text.utf8.count
        defer { state.isWriting = true }
        return !state.isWriting
    }

    /// Milliseconds since the start, to the microsecond.
    private var time: String {
        let microseconds = (NIODeadline.now() - self.start).nanoseconds / 1000
        let fraction = String(microseconds % 1000)
        return "\"ms\":\(microseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }

    /// On the writer's thread, until nothing waits.
    private func write() {
        while true {
            let batch = self.state.withLock { state -> [UInt8] in
                let batch = state.waiting
                // The next batch finds room of its own.
                state.waiting = []
                state.isWriting = !batch.isEmpty
                return batch
            }
            if batch.isEmpty { return }
            guard self.writeAll(batch) else {
                self.state.withLock { $0.hasFailed = true }
                continue
            }
        }
    }

    private func writeAll(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(self.descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
