/// Who may do something with the rows of a table.
///
/// Source: peer wire reference, section 5.
public enum AccessPolicy: String, Sendable, Hashable, CaseIterable {
    /// Only the owner of the site, on the own machine.
    case local
    /// Rows: only whoever made them. New rows: only the owner of the site.
    case owner
    /// Members of the site's group whose role allows it.
    case group
    /// Everybody.
    case open
}

/// What can be done with rows.
public enum RowAction: String, Sendable, Hashable, CaseIterable {
    case read, insert, update, delete

    /// The word for it in upstream's refusal of a policy; role checks say `read`.
    var refusalWord: String { self == .read ? "query" : rawValue }
}

/// Which rows an action reaches.
public enum RowScope: Sendable, Hashable {
    case allRows
    /// Rows whose `_owner` is the caller.
    case ownRows
}

/// The answer of a policy.
public enum AccessDecision: Sendable, Hashable {
    case allowed(RowScope)
    /// With upstream's text.
    case refused(String)
}

/// What a role may do with a table.
public struct RolePermissions: Sendable, Hashable {
    /// The actions that are allowed.
    public var actions: Set<RowAction>

    /// Makes permissions.
    public init(_ actions: Set<RowAction>) { self.actions = actions }

    /// Everything.
    public static let all = RolePermissions(Set(RowAction.allCases))

    /// As the operation `role` answers it.
    public var json: JSONValue {
        func has(_ action: RowAction) -> JSONValue { .bool(actions.contains(action)) }
        return ["delete": has(.delete), "insert": has(.insert), "read": has(.read), "update": has(.update)]
    }
}

/// The four policies of a table; a missing word is none of them.
///
/// Source: peer wire reference, section 5; the difference from upstream is stated at `decision`.
public struct TableAccess: Sendable, Hashable {
    /// Who sees rows.
    public var read: AccessPolicy?
    /// Who makes rows.
    public var insert: AccessPolicy?
    /// Who changes rows.
    public var update: AccessPolicy?
    /// Who removes rows.
    public var delete: AccessPolicy?

    /// Makes an access rule.
    public init(read: AccessPolicy?, insert: AccessPolicy?, update: AccessPolicy?, delete: AccessPolicy?) {
        self.read = read
        self.insert = insert
        self.update = update
        self.delete = delete
    }

    /// The rule of a table that has one word: who makes rows, while everybody reads, and changes and removes the own ones.
    ///
    /// `local` closes all four: upstream, which takes it for `owner`, shows such a table to everybody, and nobody who says
    /// "local" means that. `public` is an old word for `open`; whatever else is not known means `owner`.
    public init(insertPolicy: String) {
        switch insertPolicy {
        case "local": self.init(read: .local, insert: .local, update: .local, delete: .local)
        case "open", "public": self.init(read: .open, insert: .open, update: .owner, delete: .owner)
        case "group": self.init(read: .open, insert: .group, update: .owner, delete: .owner)
        default: self.init(read: .open, insert: .owner, update: .owner, delete: .owner)
        }
    }

    /// As a schema and `set-policy` write it.
    public var json: JSONValue {
        func word(_ action: RowAction) -> JSONValue { self[action].map { .string($0.rawValue) } ?? .null }
        return ["read": word(.read), "insert": word(.insert), "update": word(.update), "delete": word(.delete)]
    }

    /// Whether visitors see only rows that they have made themselves.
    public var showsOwnRowsOnly: Bool { read == .owner || read == nil }

    /// Whether rows are looked for among those of one visitor: it sees no others, or may change no others.
    public var seeksOwnRows: Bool { showsOwnRowsOnly || update == .owner }

    /// The policy of an action.
    public subscript(action: RowAction) -> AccessPolicy? {
        switch action {
        case .read: read
        case .insert: insert
        case .update: update
        case .delete: delete
        }
    }

    /// Whether a caller may do something, and with which rows.
    ///
    /// Where upstream refuses `update` and `delete` under `owner` even to whoever made the row, they reach the own rows
    /// here. Where upstream lets everybody read under a word that it does not know, only own rows are read here.
    /// - Parameters:
    ///   - role: of the caller.
    ///   - roles: what roles may do with this table, if the table says so.
    public func decision(
        _ action: RowAction, caller: DataCaller, role: CallerRole, roles: [String: RolePermissions]?
    ) -> AccessDecision {
        if caller == .owner { return .allowed(.allRows) }
        switch self[action] {
        case .open:
            return .allowed(.allRows)
        case .local:
            return .refused("\(action.refusalWord) not allowed: table is local-only")
        case .group:
            if let refusal = TableAccess.refusal(action, role: role, roles: roles) { return .refused(refusal) }
            return .allowed(action == .update || action == .delete ? .ownRows : .allRows)
        case .owner:
            guard action != .insert else {
                return .refused("insert not allowed: this table only accepts data from the site owner")
            }
            return .allowed(.ownRows)
        case nil:
            guard action != .read else { return .allowed(.ownRows) }
            return .refused("\(action.rawValue) not allowed: unknown table policy")
        }
    }

    /// What to tell people beside the text of a refusal; empty if that says it.
    public func explanation(of action: RowAction, role: CallerRole) -> String {
        guard self[action] == .group, role == .noGroups else { return "" }
        return "only members of a group may do that with this table, and there are no groups yet: "
            + "until then only its owner can"
    }

    private static func refusal(_ action: RowAction, role: CallerRole, roles: [String: RolePermissions]?) -> String? {
        let start = "\(action.rawValue) not allowed: "
        switch role {
        case .noGroups: return start + "no group system"
        case .notMember: return start + "not a group member"
        case .member("owner"): return nil
        case .member(let name):
            guard let roles else { return start + "no role mapping for table" }
            guard roles[name]?.actions.contains(action) == true else {
                return start + "insufficient role (\(name.prefix(64)))"
            }
            return nil
        }
    }
}
