import Dispatch
import GoopCore
import Synchronization

/// Reads at the same time, each on a connection and a thread of its own; the rest waits in line, in fair shares.
///
/// At the bound of the line the answer is `busy`.
final class ReaderPool: Sendable {
    /// `ReadConnection` is not thread-safe and needs not be: it is touched on this reader's serial queue alone, and the last
    /// reference goes where no job runs on that queue any more. The compiler cannot see that a queue guards a value.
    private struct Reader: @unchecked Sendable {
        let connection: ReadConnection
        let queue: DispatchQueue
    }

    /// Runs with a connection, or hears why there is none.
    private typealias Job = @Sendable (Result<ReadConnection, DataError>) -> Void

    private struct State {
        var line: ReadLine<Job>
        var idle: [Reader] = []
        /// Connections that are open.
        var count = 0
        var isClosed = false
        var closing: [CheckedContinuation<Void, Never>] = []

        /// One connection less; the last one ends the wait for the close.
        mutating func forgetConnection() {
            count -= 1
            guard isClosed, count == 0 else { return }
            for waiter in closing { waiter.resume() }
            closing = []
        }
    }

    private let path: String
    private let ending: StoreEnding
    private let state: Mutex<State>
    /// Each job passes it; a barrier lets those under way end and those behind it wait.
    private let gate = DispatchQueue(label: "goop2.data.reads", attributes: .concurrent)
    /// The owner's pass this one before: they may take half a minute, and visitors do not wait for their end.
    private let ownersGate = DispatchQueue(label: "goop2.data.reads.owner", attributes: .concurrent)

    /// - Parameter shares: how many read and wait; a connection is opened when it is first needed.
    init(path: String, ending: StoreEnding, shares: ReadShares = .init()) {
        self.path = path
        self.ending = ending
        state = Mutex(State(line: ReadLine(shares: shares)))
    }

    /// How many reads wait; for tests.
    var waiting: Int { state.withLock { $0.line.waiting } }

    /// Runs a body with a connection, where waiting for the disk is allowed.
    func read<Value: Sendable>(
        for caller: DataCaller, _ body: @escaping @Sendable (ReadConnection) throws(DataError) -> Value
    ) async throws(DataError) -> Value {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, DataError>, Never>) in
            let job: Job = { connection in
                do throws(DataError) { done.resume(returning: .success(try body(connection.get()))) } catch {
                    done.resume(returning: .failure(error))
                }
            }
            do throws(DataError) { try submit(job, of: caller.holder) } catch {
                done.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }

    private enum Place {
        case reader(Reader)
        case new
        case line
        case refused(DataError)
    }

    private func submit(_ job: @escaping Job, of holder: ShareHolder?) throws(DataError) {
        let place = state.withLock { state -> Place in
            guard !state.isClosed else { return .refused(.closed) }
            switch state.line.enter(job, of: holder) {
            case .waits: return .line
            case .refused(let waiting):
                return .refused(
                    DataError(code: .busy, message: "too many requests", detail: "\(waiting) wait already; try again"))
            case .run:
                if let reader = state.idle.popLast() { return .reader(reader) }
                state.count += 1
                return .new
            }
        }
        switch place {
        case .line: return
        case .refused(let error): throw error
        case .reader(let reader): run(job, of: holder, on: reader)
        case .new:
            // Not here: who asks may be on an event loop, and to open a file can take as long as the disk likes.
            let queue = DispatchQueue(label: "goop2.data.reader")
            queue.async { self.open(job, of: holder, for: queue) }
        }
    }

    /// Runs a job on a new connection. If that cannot be opened, the job hears why, and whoever was waiting for its place is
    /// tried next.
    private func open(_ job: @escaping Job, of holder: ShareHolder?, for queue: DispatchQueue) {
        var (job, holder) = (job, holder)
        while true {
            do throws(DataError) {
                let connection = try ReadConnection(path: path, ending: ending)
                return run(job, of: holder, on: Reader(connection: connection, queue: queue))
            } catch {
                job(.failure(error))
            }
            let next = state.withLock { state -> (job: Job, of: ShareHolder?, reader: Reader?)? in
                guard let next = state.line.leave(holder) else {
                    state.forgetConnection()
                    return nil
                }
                let reader = state.idle.popLast()
                if reader != nil { state.forgetConnection() }
                return (next.job, next.of, reader)
            }
            guard let next else { return }
            if let reader = next.reader { return run(next.job, of: next.of, on: reader) }
            (job, holder) = (next.job, next.of)
        }
    }

    private func run(_ job: @escaping Job, of holder: ShareHolder?, on reader: Reader) {
        reader.queue.async {
            var (job, holder) = (job, holder)
            while true {
                self.pass(holder) { job(.success(reader.connection)) }
                let next = self.state.withLock { state -> (job: Job, of: ShareHolder?)? in
                    if let next = state.line.leave(holder) { return next }
                    if state.isClosed {
                        state.forgetConnection()
                    } else {
                        state.idle.append(reader)
                    }
                    return nil
                }
                guard let next else { return }
                (job, holder) = next
            }
        }
    }

    /// Runs a job through the gates.
    private func pass(_ holder: ShareHolder?, _ job: () -> Void) {
        guard holder == nil else { return gate.sync(execute: job) }
        ownersGate.sync { gate.sync(execute: job) }
    }

    /// Runs a body when the reads under way have ended and before others begin. Those of the owner are waited for first,
    /// while visitors go on reading; so these wait for each other only, which is as long as a visitor's read may take.
    func whileNobodyReads(_ body: @escaping @Sendable () -> Void) {
        ownersGate.async(flags: .barrier) { [gate] in gate.sync(flags: .barrier, execute: body) }
    }

    /// Answers what waits, and what comes, with `unreachable`; what runs is for `ending` to break off.
    func takeNoMore() {
        let waiting = state.withLock { state in
            state.isClosed = true
            return state.line.removeWaiting()
        }
        for job in waiting { job(.failure(.closed)) }
    }

    /// Takes no more, and closes every connection once what runs has ended; what was to run while nobody reads has run.
    func close() async {
        takeNoMore()
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in whileNobodyReads { done.resume() } }
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isDone = state.withLock { state -> Bool in
                state.count -= state.idle.count
                state.idle = []
                if state.count > 0 { state.closing.append(done) }
                return state.count == 0
            }
            if isDone { done.resume() }
        }
    }
}
