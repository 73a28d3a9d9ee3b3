import PeerIdentity

/// How many writes wait.
struct WriteShares: Sendable {
    /// Writes that wait, of everybody.
    var writes = 2048
    /// About the memory of those.
    var bytes = 64 << 20
    /// Writes that wait, of one visitor. The owner is bound by the totals only.
    var writesPerVisitor = 256
    var bytesPerVisitor = 16 << 20
}

/// Who writes next: each visitor, and the owner, has a line of its own, and the lines take turns.
///
/// Heavy writes, which take a transaction for themselves, stand in lines of their own: between two of them come those that
/// share a commit. So a write of one row waits for one heavy one at most, however many others have asked for.
///
/// A value without I/O.
struct WriteLine<Write> {
    /// Whose write; nil: the owner's.
    typealias Writer = PeerID?

    private struct Entry {
        let write: Write
        let cost: Int
    }

    private struct Share {
        var writes = 0
        var bytes = 0
    }

    /// How many wait.
    var count: Int { total.writes }

    private let shares: WriteShares
    private var light = Turns<Entry>()
    private var heavy = Turns<Entry>()
    private var isHeavyNext = false
    private var total = Share()
    /// Only of those who wait.
    private var waiting: [Writer: Share] = [:]

    init(shares: WriteShares = .init()) { self.shares = shares }

    /// Takes a write.
    ///
    /// - Parameter cost: about the bytes that it holds on to.
    /// - Returns: how many wait if there is no room for it; nil: it is taken.
    mutating func enter(_ write: Write, of writer: Writer, cost: Int, isHeavy: Bool) -> Int? {
        guard total.writes < shares.writes, total.bytes + cost <= shares.bytes else { return total.writes }
        var own = waiting[writer] ?? Share()
        let hasRoom = own.writes < shares.writesPerVisitor && own.bytes + cost <= shares.bytesPerVisitor
        guard writer == nil || hasRoom else { return own.writes }
        own.writes += 1
        own.bytes += cost
        waiting[writer] = own
        total.writes += 1
        total.bytes += cost
        let entry = Entry(write: write, cost: cost)
        if isHeavy { heavy.append(entry, of: writer) } else { light.append(entry, of: writer) }
        return nil
    }

    /// The first write of a transaction; nil: nothing waits.
    mutating func first() -> (write: Write, isHeavy: Bool)? {
        if !heavy.isEmpty, isHeavyNext || light.isEmpty {
            isHeavyNext = false
            return heavy.next().map { (taken($0), true) }
        }
        isHeavyNext = true
        return light.next().map { (taken($0), false) }
    }

    /// Another write that may share the commit of a light one.
    mutating func another() -> Write? { light.next().map { taken($0) } }

    /// Takes out all that wait.
    mutating func removeWaiting() -> [Write] {
        var writes: [Write] = []
        while let write = another() { writes.append(write) }
        while let next = heavy.next() { writes.append(taken(next)) }
        return writes
    }

    private mutating func taken(_ next: (item: Entry, of: Writer)) -> Write {
        total.writes -= 1
        total.bytes -= next.item.cost
        if var own = waiting[next.of] {
            own.writes -= 1
            own.bytes -= next.item.cost
            waiting[next.of] = own.writes == 0 ? nil : own
        }
        return next.item.write
    }
}

/// Lines that take turns.
struct Turns<Item> {
    typealias Whose = PeerID?

    private var lines: [Whose: Queue<Item>] = [:]
    /// Those who wait, in the order of their turns.
    private var order = Queue<Whose>()

    var isEmpty: Bool { order.isEmpty }

    /// Puts something at the end of the line of its owner.
    mutating func append(_ item: Item, of whose: Whose) {
        if lines[whose] == nil { order.append(whose) }
        lines[whose, default: Queue()].append(item)
    }

    /// The next of whoever's turn it is.
    mutating func next() -> (item: Item, of: Whose)? {
        guard let whose = order.next() else { return nil }
        // Out of the table while it changes, so that it is not copied.
        guard var line = lines.removeValue(forKey: whose), let item = line.next() else { return nil }
        if !line.isEmpty {
            lines[whose] = line
            order.append(whose)
        }
        return (item, whose)
    }

    /// First in, first out.
    private struct Queue<Element> {
        /// Those that are taken are nil: they must not be held.
        private var elements: [Element?] = []
        private var start = 0

        var isEmpty: Bool { start == elements.count }

        mutating func append(_ element: Element) { elements.append(element) }

        mutating func next() -> Element? {
            guard start < elements.count else { return nil }
            let element = elements[start]
            elements[start] = nil
            start += 1
            // Room is given back in steps, so that taking does not move the rest each time.
            if start == elements.count || start >= 64 {
                elements.removeFirst(start)
                start = 0
            }
            return element
        }
    }
}
