/// Message ids that one peer does not want, each for a few heartbeats.
///
/// Kept by the heartbeat in which they came, so that forgetting the old ones costs nothing however many there are.
struct RefusedIDs: Sendable {
    /// Newest first.
    private var generations: [Set<MessageID>] = []
    private let lifetime: Int

    /// Ids are kept until the `lifetime`th `shift()` after they came.
    init(lifetime: Int) { self.lifetime = max(1, lifetime) }

    var count: Int { generations.reduce(0) { $0 + $1.count } }

    func contains(_ id: MessageID) -> Bool { generations.contains { $0.contains(id) } }

    mutating func insert(_ id: MessageID) {
        if generations.isEmpty { generations = [[]] }
        generations[0].insert(id)
    }

    /// A heartbeat has passed.
    mutating func shift() {
        guard !generations.isEmpty else { return }
        generations.insert([], at: 0)
        if generations.count > lifetime { generations.removeLast() }
        if generations.allSatisfy(\.isEmpty) { generations = [] }
    }
}
