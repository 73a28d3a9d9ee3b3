import GoopCore

/// How many writes wait.
struct WriteShares: Sendable {
    /// Writes of visitors that wait.
    var writes = Shares(total: 2048, perPeer: 256, floor: 8)
    /// About the memory of those. The floor is twice the longest request.
    var bytes = Shares(total: 64 << 20, perPeer: 16 << 20, floor: 2 << 20)
    /// Writes of the owner that wait.
    var writesOfOwner = 2048
    /// About the memory of those.
    var bytesOfOwner = 64 << 20
}

/// Who writes next: each visitor, and the owner, has a line of its own, and the lines take turns; see `Turns`. Visitors share the
/// places in them; the owner has places of its own.
///
/// Heavy writes, which take a transaction for themselves, stand in lines of their own: between two of them come those that
/// share a commit. So a write of one row waits for one heavy one at most, however many others have asked for.
///
/// A value without I/O.
struct WriteLine<Write> {
    /// Whose write; nil: the owner's.
    typealias Writer = ShareHolder?

    private struct Entry {
        let write: Write
        let cost: Int
    }

    /// How many wait.
    var count: Int { places.writes.held + ownersWrites }

    /// Of visitors, what those that wait have.
    private var places: WriteShares
    private var ownersWrites = 0
    private var ownersBytes = 0
    private var light = Turns<Entry>()
    private var heavy = Turns<Entry>()
    private var isHeavyNext = false

    init(shares: WriteShares = .init()) { places = shares }

    /// Takes a write.
    ///
    /// - Parameter cost: about the bytes that it holds on to.
    /// - Returns: how many of all visitors, or of the owner, wait if there is no room for it; nil: it is taken.
    mutating func enter(_ write: Write, of writer: Writer, cost: Int, isHeavy: Bool) -> Int? {
        if let writer {
            guard places.writes.take(for: writer) else { return places.writes.held }
            guard places.bytes.take(cost, for: writer) else {
                places.writes.giveBack(of: writer)
                return places.writes.held
            }
        } else {
            guard ownersWrites < places.writesOfOwner, ownersBytes + cost <= places.bytesOfOwner else {
                return ownersWrites
            }
            ownersWrites += 1
            ownersBytes += cost
        }
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
        if let writer = next.of {
            places.writes.giveBack(of: writer)
            places.bytes.giveBack(next.item.cost, of: writer)
        } else {
            ownersWrites -= 1
            ownersBytes -= next.item.cost
        }
        return next.item.write
    }
}

/// Lines that take turns: hosts at first, and the visitors of a host in the turns that it gets. So a thousand keys of one host
/// delay another host no more than one does.
struct Turns<Item> {
    /// Nil: the owner's.
    typealias Whose = ShareHolder?

    /// Those of one host.
    private struct Neighbours {
        var lines: [Whose: Queue<Item>] = [:]
        /// Those who wait, in the order of their turns.
        var order = Queue<Whose>()

        mutating func append(_ item: Item, of whose: Whose) {
            if lines[whose] == nil { order.append(whose) }
            lines[whose, default: Queue()].append(item)
        }

        mutating func next() -> (item: Item, of: Whose)? {
            guard let whose = order.next() else { return nil }
            guard var line = lines.removeValue(forKey: whose), let item = line.next() else { return nil }
            if !line.isEmpty {
                lines[whose] = line
                order.append(whose)
            }
            return (item, whose)
        }
    }

    /// The owner's is nil.
    private var hosts: [ShareHolder.Group?: Neighbours] = [:]
    /// Those where somebody waits, in the order of their turns.
    private var order = Queue<ShareHolder.Group?>()

    var isEmpty: Bool { order.isEmpty }

    /// Puts something at the end of the line of its owner.
    mutating func append(_ item: Item, of whose: Whose) {
        let group = whose?.group
        if hosts[group] == nil { order.append(group) }
        hosts[group, default: Neighbours()].append(item, of: whose)
    }

    /// The next of whoever's turn it is.
    mutating func next() -> (item: Item, of: Whose)? {
        guard let group = order.next() else { return nil }
        // Out of the table while it changes, so that it is not copied.
        guard var neighbours = hosts.removeValue(forKey: group), let next = neighbours.next() else { return nil }
        if !neighbours.order.isEmpty {
            hosts[group] = neighbours
            order.append(group)
        }
        return next
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
