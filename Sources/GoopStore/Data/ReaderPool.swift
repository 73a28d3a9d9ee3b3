import Dispatch
import GoopCore
import Synchronization

/// Reads at the same time, each on a connection and a thread of its own; the rest waits in line.
///
/// At the bound of the line the answer is `busy`.
final class ReaderPool: Sendable {
    private struct Reader: @unchecked Sendable {
        /// Used on its queue only.
        let connection: ReadConnection
        let queue: DispatchQueue
    }

    private typealias Job = @Sendable (ReadConnection) -> Void

    private struct State {
        var idle: [Reader] = []
        var waiting: [Job] = []
        /// How many of `waiting` are taken; those at the front.
        var next = 0
        var count = 0
        var isClosed = false
        var closing: [CheckedContinuation<Void, Never>] = []
    }

    private let path: String
    private let width: Int
    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - width: readers at most; each is opened when it is first needed.
    ///   - capacity: callers that wait.
    init(path: String, width: Int, capacity: Int = 512) {
        self.path = path
        self.width = width
        self.capacity = capacity
    }

    /// Runs a body with a connection, where waiting for the disk is allowed.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (ReadConnection) throws(DataError) -> Value
    ) async throws(DataError) -> Value {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, DataError>, Never>) in
            let job: Job = { connection in
                do throws(DataError) { done.resume(returning: .success(try body(connection))) } catch {
                    done.resume(returning: .failure(error))
                }
            }
            do throws(DataError) { try submit(job) } catch { done.resume(returning: .failure(error)) }
        }
        return try result.get()
    }

    private enum Place {
        case reader(Reader)
        case new(Int)
        case line
        case refused(DataError)
    }

    private func submit(_ job: @escaping Job) throws(DataError) {
        let place = state.withLock { state -> Place in
            guard !state.isClosed else {
                return .refused(DataError(code: .unreachable, message: "database not available"))
            }
            if let reader = state.idle.popLast() { return .reader(reader) }
            if state.count < width {
                state.count += 1
                return .new(state.count)
            }
            guard state.waiting.count - state.next < capacity else {
                return .refused(
                    DataError(code: .busy, message: "too many requests", detail: "\(capacity) wait already; try again"))
            }
            state.waiting.append(job)
            return .line
        }
        switch place {
        case .line: return
        case .refused(let error): throw error
        case .reader(let reader): run(job, on: reader)
        case .new(let number):
            let connection: ReadConnection
            do throws(DataError) { connection = try ReadConnection(path: path) } catch {
                state.withLock { $0.count -= 1 }
                throw error
            }
            run(job, on: Reader(connection: connection, queue: DispatchQueue(label: "goop2.data.reader.\(number)")))
        }
    }

    private func run(_ job: @escaping Job, on reader: Reader) {
        reader.queue.async {
            var job = job
            while true {
                job(reader.connection)
                let next = self.state.withLock { state -> Job? in
                    guard state.next < state.waiting.count else {
                        state.waiting = []
                        state.next = 0
                        if state.isClosed {
                            state.count -= 1
                            if state.count == 0 {
                                for waiter in state.closing { waiter.resume() }
                                state.closing = []
                            }
                        } else {
                            state.idle.append(reader)
                        }
                        return nil
                    }
                    let next = state.waiting[state.next]
                    state.next += 1
                    if state.next >= 256 {
                        state.waiting.removeFirst(state.next)
                        state.next = 0
                    }
                    return next
                }
                guard let next else { return }
                job = next
            }
        }
    }

    /// Answers what waits, and closes every connection.
    func close() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isDone = state.withLock { state -> Bool in
                state.isClosed = true
                state.count -= state.idle.count
                state.idle = []
                if state.count > 0 { state.closing.append(done) }
                return state.count == 0
            }
            if isDone { done.resume() }
        }
    }
}
