import GRDB
import GoopCore
import PeerIdentity

/// One transaction of the writer, with what its writes lead to once it is committed.
///
/// Used on the writer's thread only.
final class WriteTransaction {
    /// What follows from a commit.
    struct Effects: Sendable {
        /// Of user tables that are watched, by table.
        var changes: [String: TableChanges] = [:]
        /// The tables after it, if they changed.
        var catalogue: Catalogue?
        /// Usage by peer, as far as it was looked at.
        var usage: [String: VisitorUsage] = [:]
        var total = VisitorUsage()
    }

    /// `effects` as they were before the write under way. Of the accounts only those that it has changed: a copy of all would be
    /// made anew with each write that shares the transaction.
    private struct Before {
        var changes: [String: TableChanges] = [:]
        var catalogue: Catalogue?
        var total = VisitorUsage()
        var usage: [String: VisitorUsage?] = [:]
    }

    let database: Database
    let ownerID: String
    let ownerEmail: String
    let quota: VisitorQuota
    /// Whether anybody wants to hear of a table's changes.
    let isWatched: (String) -> Bool
    let ending: StoreEnding
    var effects: Effects
    var deadline = ContinuousClock.now
    /// Rows that were changed or removed; also those of writes that were taken back.
    private(set) var changed: Set<RecentChanges.Row> = []
    private let recent: RecentChanges
    private let startCatalogue: Catalogue
    private var before = Before()
    private let knownUsage: [String: VisitorUsage]

    /// - Parameter knownUsage: of some peers, as it is in the file.
    init(
        database: Database, catalogue: Catalogue, totalUsage: VisitorUsage, knownUsage: [String: VisitorUsage],
        owner: (id: String, email: String), quota: VisitorQuota, recent: RecentChanges,
        ending: StoreEnding, isWatched: @escaping (String) -> Bool
    ) {
        self.database = database
        self.recent = recent
        self.knownUsage = knownUsage
        startCatalogue = catalogue
        ownerID = owner.id
        ownerEmail = owner.email
        self.quota = quota
        self.isWatched = isWatched
        self.ending = ending
        effects = Effects(total: totalUsage)
    }

    /// The tables as this transaction sees them.
    var catalogue: Catalogue { effects.catalogue ?? startCatalogue }

    /// To be called when tables were made, changed or removed.
    func tablesChanged() throws {
        // The statements that GRDB keeps are compiled anew by SQLite itself.
        effects.catalogue = try Catalogue.load(database)
    }

    /// Notes that a row was changed or removed.
    func rowChanged(_ id: Int64, of table: String) { changed.insert(RecentChanges.Row(table: table, id: id)) }

    /// Whether rows are as they were at a moment before this transaction; false also if that cannot be told.
    func areUnchanged(_ ids: [Int64], of table: String, since mark: RecentChanges.Mark) -> Bool {
        guard effects.catalogue == nil, recent.areUnchanged(ids, of: table, since: mark) else { return false }
        return changed.isEmpty || !ids.contains { changed.contains(RecentChanges.Row(table: table, id: $0)) }
    }

    /// Writes down the usage, before the commit.
    func finish() throws {
        for (peer, usage) in effects.usage { try usage.store(peer, in: database) }
    }

    // MARK: One of several writes

    /// A write begins.
    func begin() {
        before.changes = effects.changes
        before.catalogue = effects.catalogue
        before.total = effects.total
        before.usage.removeAll(keepingCapacity: true)
    }

    /// It is taken back, and what it led to with it.
    func takeBack() {
        effects.changes = before.changes
        effects.catalogue = before.catalogue
        effects.total = before.total
        for (peer, usage) in before.usage { effects.usage[peer] = usage }
    }

    // MARK: Quota

    /// Notes that rows of a peer were added, changed or removed, by whomever: the account is that of the rows' owner, and so
    /// always what a recount would find.
    /// - Parameter bytes: of values and e-mails; what rows cost beside them is added here.
    /// - Throws: `quota` if a visitor makes it grow beyond what one may have.
    func charge(_ peer: String, rows: Int64, bytes: Int64, isVisitor: Bool) throws {
        try charge(
            peer, VisitorUsage(rows: rows, bytes: bytes &+ rows &* VisitorUsage.bytesPerRow), isVisitor: isVisitor)
    }

    /// The same, with what rows cost beside their values.
    func charge(_ peer: String, _ change: VisitorUsage, isVisitor: Bool) throws {
        guard !peer.isEmpty else { return }
        let known = effects.usage[peer]
        let before = try known ?? knownUsage[peer] ?? VisitorUsage.of(peer, in: database)
        let after = before + change
        let ofAll = VisitorUsage(
            rows: change.rows, bytes: change.bytes &+ after.accountBytes &- before.accountBytes)
        if isVisitor, peer != ownerID, change.rows > 0 || change.bytes > 0 {
            if after.rows > quota.rows, change.rows > 0 {
                throw WriteTransaction.exceeded("\(quota.rows) rows", "of one visitor")
            }
            if after.bytes > quota.bytes { throw WriteTransaction.exceeded("\(quota.bytes) bytes", "of one visitor") }
            if (effects.total + ofAll).bytes > quota.totalBytes {
                throw WriteTransaction.exceeded("\(quota.totalBytes) bytes", "of all visitors")
            }
        }
        if peer != ownerID { effects.total = effects.total + ofAll }
        if self.before.usage[peer] == nil { self.before.usage.updateValue(known, forKey: peer) }
        effects.usage[peer] = after
    }

    /// Checks what a visitor makes of a row that is not its own. It counts as its owner's, and the site's owner has no
    /// limit: without this one a table that all may change would have none.
    func checkGrowth(ofOthersRow bytes: Int64) throws {
        guard bytes > quota.othersRowBytes else { return }
        throw DataError(
            code: .quota, message: "quota exceeded",
            detail: "a row of somebody else can grow to \(quota.othersRowBytes) bytes; add a row of your own")
    }

    private static func exceeded(_ limit: String, _ whose: String) -> DataError {
        DataError(
            code: .quota, message: "quota exceeded",
            detail: "the owner keeps at most \(limit) \(whose); delete rows, or ask the owner")
    }
}
