import DequeModule
import OrderedCollections
import PeerIdentity

/// One look-up in `NameLookUpLines`.
protocol NameLookUp: Sendable {
    /// Whether anybody still waits for the outcome. Asked while the lines are locked.
    var isWanted: Bool { get }
}

/// Who is looked up next: a line for each peer, and peers take turns, with one look-up running for each.
struct NameLookUpLines<Item: NameLookUp>: Sendable {
    private let maximumRunning: Int
    private let maximumWaiting: Int
    /// What waits, by peer; names that are nobody's share a line. The peer whose turn is next comes first.
    private var waiting: OrderedDictionary<PeerID?, Deque<Item>> = [:]
    private var running: Set<PeerID?> = []

    /// Nothing waits.
    init(maximumRunning: Int, maximumWaiting: Int) {
        self.maximumRunning = maximumRunning
        self.maximumWaiting = maximumWaiting
    }

    /// Look-ups that wait.
    var count: Int { self.waiting.values.reduce(0) { $0 + $1.count } }

    /// Puts a look-up at the end of its peer's line.
    ///
    /// - Returns: false if there is no room; and those that were taken out to make some because nobody wants them any more.
    mutating func add(_ item: Item, of peer: PeerID?) -> (isQueued: Bool, skipped: [Item]) {
        let skipped = self.count < self.maximumWaiting ? [] : self.takeUnwanted()
        guard self.count < self.maximumWaiting else { return (false, skipped) }
        self.waiting[peer, default: []].append(item)
        return (true, skipped)
    }

    /// What is to run now, if anything may; and those before it that nobody wants any more.
    mutating func takeNext() -> (next: (peer: PeerID?, lookUp: Item)?, skipped: [Item]) {
        var skipped: [Item] = []
        while self.running.count < self.maximumRunning,
            let (peer, line) = self.waiting.elements.first(where: { !self.running.contains($0.key) })
        {
            // At the end again: the others' turn comes first.
            self.waiting.removeValue(forKey: peer)
            var left = line
            while let item = left.popFirst() {
                guard item.isWanted else {
                    skipped.append(item)
                    continue
                }
                if !left.isEmpty { self.waiting[peer] = left }
                self.running.insert(peer)
                return ((peer, item), skipped)
            }
        }
        return (nil, skipped)
    }

    /// The look-up of a peer's that was running has ended.
    mutating func ended(of peer: PeerID?) { self.running.remove(peer) }

    private mutating func takeUnwanted() -> [Item] {
        var unwanted: [Item] = []
        for (peer, line) in self.waiting.elements {
            var wanted = Deque<Item>()
            for item in line {
                if item.isWanted { wanted.append(item) } else { unwanted.append(item) }
            }
            self.waiting[peer] = wanted.isEmpty ? nil : wanted
        }
        return unwanted
    }
}
