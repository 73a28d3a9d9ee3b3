import PeerIdentity
import Testing

@testable import GoopCore

@Suite struct TableAccessTests {
    static let visitor = DataCaller.remote(PrivateKey.generate().peerID, email: "")

    private func decide(
        _ action: RowAction, _ policy: AccessPolicy?, role: CallerRole = .noGroups,
        roles: [String: RolePermissions]? = nil, caller: DataCaller = visitor
    ) -> AccessDecision {
        TableAccess(read: policy, insert: policy, update: policy, delete: policy)
            .decision(action, caller: caller, role: role, roles: roles)
    }

    @Test(arguments: [
        (AccessPolicy?.some(.open), RowAction.read, AccessDecision.allowed(.allRows)),
        (.open, .insert, .allowed(.allRows)), (.open, .update, .allowed(.allRows)),
        (.open, .delete, .allowed(.allRows)),
        (.owner, .read, .allowed(.ownRows)),
        (.owner, .insert, .refused("insert not allowed: this table only accepts data from the site owner")),
        (.owner, .update, .allowed(.ownRows)), (.owner, .delete, .allowed(.ownRows)),
        (.local, .read, .refused("query not allowed: table is local-only")),
        (.local, .insert, .refused("insert not allowed: table is local-only")),
        (.local, .update, .refused("update not allowed: table is local-only")),
        (.local, .delete, .refused("delete not allowed: table is local-only")),
        (.group, .read, .refused("read not allowed: no group system")),
        (.group, .delete, .refused("delete not allowed: no group system")),
        (nil, .read, .allowed(.ownRows)),
        (nil, .insert, .refused("insert not allowed: unknown table policy")),
        (nil, .update, .refused("update not allowed: unknown table policy")),
    ]) func policies(policy: AccessPolicy?, action: RowAction, expected: AccessDecision) {
        #expect(decide(action, policy) == expected)
    }

    @Test(arguments: AccessPolicy.allCases, RowAction.allCases)
    func theOwnerMayDoEverything(policy: AccessPolicy, action: RowAction) {
        #expect(decide(action, policy, caller: .owner) == .allowed(.allRows))
    }

    @Test(arguments: AccessPolicy.allCases, RowAction.allCases)
    func peopleAreToldThatThereAreNoGroupsYet(policy: AccessPolicy, action: RowAction) {
        let access = TableAccess(read: policy, insert: policy, update: policy, delete: policy)
        #expect(access.explanation(of: action, role: .noGroups).contains("no groups yet") == (policy == .group))
        #expect(access.explanation(of: action, role: .notMember).isEmpty)
    }

    @Test func rolesDecideUnderGroup() {
        let roles = ["coauthor": RolePermissions([.read, .insert, .update]), "viewer": RolePermissions([.read])]
        #expect(decide(.update, .group, role: .member("coauthor"), roles: roles) == .allowed(.ownRows))
        #expect(decide(.insert, .group, role: .member("coauthor"), roles: roles) == .allowed(.allRows))
        #expect(
            decide(.insert, .group, role: .member("viewer"), roles: roles)
                == .refused("insert not allowed: insufficient role (viewer)"))
        #expect(
            decide(.read, .group, role: .member("stranger"), roles: roles)
                == .refused("read not allowed: insufficient role (stranger)"))
        #expect(
            decide(.read, .group, role: .member("viewer")) == .refused("read not allowed: no role mapping for table"))
        #expect(decide(.read, .group, role: .notMember) == .refused("read not allowed: not a group member"))
        #expect(decide(.delete, .group, role: .member("owner")) == .allowed(.ownRows))
    }

    @Test(arguments: [
        ("open", AccessPolicy.open), ("public", .open), ("group", .group), ("owner", .owner), ("", .owner),
        ("nonsense", .owner),
    ]) func classicTables(word: String, insert: AccessPolicy) {
        #expect(
            TableAccess(insertPolicy: word)
                == TableAccess(read: .open, insert: insert, update: .owner, delete: .owner))
    }

    @Test func localClosesAClassicTable() {
        let access = TableAccess(insertPolicy: "local")
        for action in RowAction.allCases { #expect(access[action] == .local) }
        #expect(access.json == ["read": "local", "insert": "local", "update": "local", "delete": "local"])
    }

    @Test func whoeverSeesOwnRowsOnlyIsKnown() {
        for (policy, isOwn) in [(AccessPolicy?.some(.owner), true), (nil, true), (.open, false), (.local, false)] {
            let access = TableAccess(read: policy, insert: .open, update: .open, delete: .open)
            #expect(access.showsOwnRowsOnly == isOwn && access.seeksOwnRows == isOwn)
            let other = TableAccess(read: .open, insert: .open, update: policy, delete: .owner)
            #expect(!other.showsOwnRowsOnly && other.seeksOwnRows == (policy == .owner))
        }
    }

    @Test(arguments: [
        ("notes", true), ("_notes", true), ("a1", true), ("1a", false), ("", false), ("a-b", false), ("a\"b", false),
        ("ä", false), ("a b", false), (String(repeating: "x", count: 64), true),
        (String(repeating: "x", count: 65), false),
    ]) func names(name: String, isValid: Bool) {
        #expect(DataName.isValid(name) == isValid)
    }

    @Test func namesOfTheSystemAreNotTheUsers() {
        #expect(!DataName.isUserTable("_meta") && !DataName.isUserTable("sqlite_x") && DataName.isUserTable("notes"))
        #expect(DataName.isSystemColumn("_Owner") && !DataName.isSystemColumn("_other"))
        #expect(DataName.quoted("a\"b") == "\"a\"\"b\"")
        // To Swift a quote and an accent behind it are one character, to SQL they are not.
        #expect(DataName.quoted("a\"\u{301}") == "\"a\"\"\u{301}\"")
    }
}
