import GoopCore

/// How many read and wait at the same time.
struct ReadShares: Sendable {
    /// Readers for all visitors together, which the owner does not take: a read of the owner may take half a minute.
    var readers = 4
    /// Readers for the owner.
    var readersOfOwner = 4
    /// Readers that one visitor holds at the same time.
    var readersPerVisitor = 3
    /// Jobs of visitors that wait.
    var waiting = Shares(total: 512, perPeer: 64, floor: 4)
    /// Jobs of the owner that wait.
    var waitingOfOwner = 512
}

/// Who reads next: fair shares of a few readers among visitors and the owner.
///
/// Each visitor has a line of its own, and the lines take turns: hosts at first, and the visitors of a host in the turns that it
/// gets. So one with a thousand queries waiting, or with a thousand keys, delays another by one query and not by a thousand. No
/// visitor holds all readers at the same time, however slow its queries are. Visitors share the places in the lines; the owner
/// has places and readers of its own.
///
/// A value without I/O: the caller runs what it is told to run.
struct ReadLine<Job> {
    /// Whose job; nil: the owner's.
    typealias Reader = ShareHolder?

    /// What becomes of a job.
    enum Entry: Sendable, Equatable {
        /// A reader is free: run it now.
        case run
        /// It waits; `leave` gives it back.
        case waits
        /// There is no place for it; this many of all visitors, or of the owner, wait.
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
    /// Those of visitors that wait.
    private var places: Shares
    /// Only of those who wait or read.
    private var lines: [Reader: Line] = [:]
    /// Those who wait.
    private var turns = ReadTurns()
    /// Jobs that wait.
    private(set) var waiting = 0
    /// Jobs that run.
    private(set) var running = 0

    init(shares: ReadShares = .init()) {
        self.shares = shares
        places = shares.waiting
    }

    /// Takes a job.
    mutating func enter(_ job: Job, of reader: Reader) -> Entry {
        var line = lines[reader] ?? Line()
        if line.waiting == 0, mayRun(line, of: reader) {
            line.running += 1
            running += 1
            lines[reader] = line
            return .run
        }
        if let reader {
            guard places.take(for: reader) else { return .refused(waiting: places.held) }
        } else {
            guard line.waiting < shares.waitingOfOwner else { return .refused(waiting: line.waiting) }
        }
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
        // Out of here while the lines are looked at.
        var order = turns
        turns = ReadTurns()
        let turn = order.next { reader in lines[reader].map { mayRun($0, of: reader) } ?? false }
        turns = order
        guard let turn, var line = lines[turn.reader] else { return nil }
        // Out of the table while it changes, so that its jobs are not copied.
        lines[turn.reader] = nil
        let job = line.take()
        if let holder = turn.reader { places.giveBack(of: holder) }
        line.running += 1
        if line.waiting > 0 { turns.append(turn.reader) }
        lines[turn.reader] = line
        waiting -= 1
        running += 1
        return (job, turn.reader)
    }

    /// Takes out the jobs that wait, in no order; those that run go on.
    mutating func removeWaiting() -> [Job] {
        let jobs = lines.values.flatMap { $0.jobs[$0.next...] }
        lines = lines.filter { $0.value.running > 0 }.mapValues { Line(running: $0.running) }
        turns = ReadTurns()
        places = shares.waiting
        waiting = 0
        return jobs
    }

    private func mayRun(_ line: Line, of reader: Reader) -> Bool {
        guard reader != nil else { return line.running < shares.readersOfOwner }
        let visitors = running - (lines[Reader.none]?.running ?? 0)
        return visitors < shares.readers && line.running < shares.readersPerVisitor
    }
}

/// Whose turn it is to read: hosts take turns, and the visitors of one host among themselves.
private struct ReadTurns {
    struct Turn {
        /// Nil: the owner.
        let reader: ShareHolder?
    }

    /// The owner's is nil.
    private var order: [ShareHolder.Group?] = []
    private var readers: [ShareHolder.Group?: [ShareHolder?]] = [:]

    /// Puts a reader at the end, behind the others of its host, and its host, if it does not wait yet, behind other hosts.
    mutating func append(_ reader: ShareHolder?) {
        let group = reader?.group
        if readers[group] == nil { order.append(group) }
        readers[group, default: []].append(reader)
    }

    /// Takes out the next reader that may run.
    mutating func next(where mayRun: (ShareHolder?) -> Bool) -> Turn? {
        for (turn, group) in order.enumerated() {
            // Not `remove` behind a question mark: the owner is nil, as what is not there is.
            guard let position = readers[group]?.firstIndex(where: mayRun),
                var waiting = readers.removeValue(forKey: group)
            else { continue }
            let reader = waiting.remove(at: position)
            order.remove(at: turn)
            if !waiting.isEmpty {
                readers[group] = waiting
                order.append(group)
            }
            return Turn(reader: reader)
        }
        return nil
    }
}
