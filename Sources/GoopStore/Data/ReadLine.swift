import PeerIdentity

/// How many read and wait at the same time.
struct ReadShares: Sendable {
    /// Readers for all visitors together; the owner has one more.
    var readers = 4
    /// Readers that one visitor holds at the same time.
    var readersPerVisitor = 3
    /// Jobs that wait, of everybody.
    var waiting = 512
    /// Jobs that wait, of one visitor. The owner is bound by `waiting` only.
    var waitingPerVisitor = 64
}

/// Who reads next: fair shares of a few readers among visitors and the owner.
///
/// Each visitor has a line of its own, and the lines take turns, so that one with a thousand queries waiting delays another
/// by one query and not by a thousand. No visitor holds all readers at the same time, however slow its queries are, and one
/// reader is kept for the owner. Lines are bounded for each visitor and in all.
///
/// A value without I/O: the caller runs what it is told to run.
struct ReadLine<Job> {
    /// Whose job; nil: the owner's.
    typealias Reader = PeerID?

    /// What becomes of a job.
    enum Entry: Sendable, Equatable {
        /// A reader is free: run it now.
        case run
        /// It waits; `leave` gives it back.
        case waits
        /// This many of the same visitor, or of all, wait already.
        case refused(waiting: Int)
    }

    private struct Line {
        /// Jobs; those in front of `next` are taken.
        var jobs: [Job] = []
        var next = 0
        var running = 0

        var waiting: Int { jobs.count - next }

        mutating func take() -> Job {
            let job = jobs[next]
            next += 1
            // Room is given back in steps, so that taking does not move the rest each time.
            if next == jobs.count || next >= 64 {
                jobs.removeFirst(next)
                next = 0
            }
            return job
        }
    }

    private let shares: ReadShares
    /// Only of those who wait or read.
    private var lines: [Reader: Line] = [:]
    /// Those who wait, in the order of their turns.
    private var turns: [Reader] = []
    /// Jobs that wait.
    private(set) var waiting = 0
    /// Jobs that run.
    private(set) var running = 0

    init(shares: ReadShares = .init()) { self.shares = shares }

    /// Takes a job.
    mutating func enter(_ job: Job, of reader: Reader) -> Entry {
        var line = lines[reader] ?? Line()
        if line.waiting == 0, mayRun(line, of: reader) {
            line.running += 1
            running += 1
            lines[reader] = line
            return .run
        }
        guard waiting < shares.waiting else { return .refused(waiting: waiting) }
        guard reader == nil || line.waiting < shares.waitingPerVisitor else { return .refused(waiting: line.waiting) }
        if line.waiting == 0 { turns.append(reader) }
        line.jobs.append(job)
        waiting += 1
        lines[reader] = line
        return .waits
    }

    /// Ends a job, and gives the one that runs next in its place, if there is any.
    mutating func leave(_ reader: Reader) -> (job: Job, of: Reader)? {
        if var line = lines[reader], line.running > 0 {
            line.running -= 1
            running -= 1
            lines[reader] = line.running == 0 && line.waiting == 0 ? nil : line
        }
        guard
            let turn = turns.firstIndex(where: { reader in
                lines[reader].map { mayRun($0, of: reader) } ?? false
            })
        else { return nil }
        let next = turns.remove(at: turn)
        guard var line = lines[next] else { return nil }
        // Out of the table while it changes, so that its jobs are not copied.
        lines[next] = nil
        let job = line.take()
        line.running += 1
        if line.waiting > 0 { turns.append(next) }
        lines[next] = line
        waiting -= 1
        running += 1
        return (job, next)
    }

    /// Takes out the jobs that wait, in no order; those that run go on.
    mutating func removeWaiting() -> [Job] {
        let jobs = lines.values.flatMap { $0.jobs[$0.next...] }
        lines = lines.filter { $0.value.running > 0 }.mapValues { Line(running: $0.running) }
        turns = []
        waiting = 0
        return jobs
    }

    private func mayRun(_ line: Line, of reader: Reader) -> Bool {
        guard reader != nil else { return running <= shares.readers }
        return running < shares.readers && line.running < shares.readersPerVisitor
    }
}
