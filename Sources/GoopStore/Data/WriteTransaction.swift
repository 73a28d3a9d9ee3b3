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
        /// Of peers whose account of it changed.
        var growth: [String: RowGrowth] = [:]
        var total = VisitorUsage()
    }

    /// `effects` as they were before the write under way. Of the accounts only those that it has changed: a copy of all would be
    /// made anew with each write that shares the transaction.
    private struct Before {
        var changes: [String: TableChanges] = [:]
        var catalogue: Catalogue?
        var total = VisitorUsage()
        var usage: [String: VisitorUsage?] = [:]
        var growth: [String: RowGrowth?] = [:]
    }

    let database: Database
    let ownerID: String
    let ownerEmail: String
    let quota: VisitorQuota
    /// Since 1970, UTC.
    let day: Int64
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
    /// As it is in the file, of peers that were looked at.
    private var knownGrowth: [String: RowGrowth] = [:]

    /// - Parameter knownUsage: of some peers, as it is in the file.
    init(
        database: Database, catalogue: Catalogue, totalUsage: VisitorUsage, knownUsage: [String: VisitorUsage],
        owner: (id: String, email: String), quota: VisitorQuota, day: Int64, recent: RecentChanges,
        ending: StoreEnding, isWatched: @escaping (String) -> Bool
    ) {
        self.database = database
        self.recent = recent
        self.knownUsage = knownUsage
        startCatalogue = catalogue
        ownerID = owner.id
        ownerEmail = owner.email
        self.quota = quota
        self.day = day
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
        for (peer, growth) in effects.growth { try growth.store(peer, in: database) }
    }

    // MARK: One of several writes

    /// A write begins.
    func begin() {
        before.changes = effects.changes
        before.catalogue = effects.catalogue
        before.total = effects.total
        before.usage.removeAll(keepingCapacity: true)
        before.growth.removeAll(keepingCapacity: true)
    }

    /// It is taken back, and what it led to with it.
    func takeBack() {
        effects.changes = before.changes
        effects.catalogue = before.catalogue
        effects.total = before.total
        for (peer, usage) in before.usage { effects.usage[peer] = usage }
        for (peer, growth) in before.growth { effects.growth[peer] = growth }
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
        let after = try note(peer, change)
        if change.bytes < 0 { try giveBack(peer, 0 &- change.bytes, left: after.bytes) }
        guard isVisitor, peer != ownerID, change.rows > 0 || change.bytes > 0 else { return }
        if after.rows > quota.rows, change.rows > 0 {
            throw WriteTransaction.exceeded("\(quota.rows) rows", "of one visitor")
        }
        if after.bytes > quota.bytes {
            // What others added to its rows is not its doing.
            let received = try growth(of: peer).received
            guard after.bytes &- received <= quota.bytes else {
                throw WriteTransaction.exceeded("\(quota.bytes) bytes", "of one visitor")
            }
        }
        try checkTotal()
    }

    /// Notes that a visitor made a row of somebody else larger or smaller. It counts as its owner's all the same; whether the
    /// visitor may is asked of what the visitor does on one day, and of the total.
    ///
    /// - Parameters:
    ///   - owner: of the row; empty: the row is nobody's, as in files from elsewhere, and in no account but the visitor's.
    ///   - bytes: by which its values grew; negative if they shrank.
    /// - Throws: `quota` if it grew beyond what one visitor may add on one day, or all may have.
    func chargeGrowth(ofRowOf owner: String, by visitor: String, bytes: Int64) throws {
        guard bytes != 0 else { return }
        try charge(owner, rows: 0, bytes: bytes, isVisitor: false)
        var own = try growth(of: visitor)
        if own.day != day {
            own.day = day
            own.added = 0
        }
        own.added = max(0, own.added &+ bytes)
        try set(own, of: visitor)
        // What the site owner's rows lost is given back already.
        if !owner.isEmpty, bytes > 0 || owner != ownerID {
            var others = try growth(of: owner)
            others.received = max(0, others.received &+ bytes)
            try set(others, of: owner)
        }
        guard bytes > 0 else { return }
        if own.added > quota.bytes {
            throw WriteTransaction.exceeded(
                "\(quota.bytes) bytes", "that one visitor adds to rows of others in a day",
                next: "try again tomorrow (UTC), or ask the owner")
        }
        try checkTotal()
    }

    /// Checks what a visitor makes of a row, whoever owns it. Large rows make a table unreadable for all visitors, whose answers
    /// are bounded, and the site's owner has no other limit.
    ///
    /// - Parameter bytes: of the row's values, after it grew.
    /// - Throws: `tooLarge`.
    func checkRow(_ bytes: Int64) throws {
        guard bytes > quota.rowBytes else { return }
        throw DataError(
            code: .tooLarge, message: "row too large",
            detail: "what a visitor writes makes a row of \(quota.rowBytes) bytes at most; the owner can allow more")
    }

    /// - Returns: the account as it is then.
    private func note(_ peer: String, _ change: VisitorUsage) throws -> VisitorUsage {
        let known = effects.usage[peer]
        let before = try known ?? knownUsage[peer] ?? VisitorUsage.of(peer, in: database)
        let after = before + change
        if self.before.usage[peer] == nil { self.before.usage.updateValue(known, forKey: peer) }
        effects.usage[peer] = after
        guard peer != ownerID else { return after }
        let bytes = change.bytes &+ after.accountBytes &- before.accountBytes
        effects.total = effects.total + VisitorUsage(rows: change.rows, bytes: bytes)
        return after
    }

    /// When rows of a peer go or shrink, nobody can tell whose bytes went. Those of the site's owner are taken for what visitors
    /// added, so that with them the owner's rows are never more than what the owner wrote and the total. Of a visitor's, what
    /// others added is at most what is left.
    private func giveBack(_ peer: String, _ bytes: Int64, left: Int64) throws {
        var growth = try growth(of: peer)
        guard growth.received > 0 else { return }
        growth.received = peer == ownerID ? max(0, growth.received - bytes) : min(growth.received, left)
        try set(growth, of: peer)
    }

    private func growth(of peer: String) throws -> RowGrowth {
        if let known = effects.growth[peer] ?? knownGrowth[peer] { return known }
        let found = try RowGrowth.of(peer, in: database)
        knownGrowth[peer] = found
        return found
    }

    private func set(_ after: RowGrowth, of peer: String) throws {
        let before = try growth(of: peer)
        let bytes = after.bytesOfAll(isOwner: peer == ownerID) - before.bytesOfAll(isOwner: peer == ownerID)
        effects.total = effects.total + VisitorUsage(rows: 0, bytes: bytes)
        if self.before.growth[peer] == nil { self.before.growth.updateValue(effects.growth[peer], forKey: peer) }
        effects.growth[peer] = after
    }

    private func checkTotal() throws {
        guard effects.total.bytes > quota.totalBytes else { return }
        throw WriteTransaction.exceeded("\(quota.totalBytes) bytes", "of all visitors together")
    }

    private static func exceeded(
        _ limit: String, _ whose: String, next: String = "delete rows, or ask the owner"
    ) -> DataError {
        DataError(
            code: .quota, message: "quota exceeded", detail: "the owner keeps at most \(limit) \(whose); \(next)")
    }
}
