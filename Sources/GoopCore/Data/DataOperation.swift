/// What can be asked of a peer's database; the raw value is the `op` of the wire.
///
/// Source: peer wire reference, section 7; `set-policy` and `export-schema` are the local twins of section 3 of the viewer reference.
/// `rename-column` and `template` are ours.
public enum DataOperation: String, Sendable, Hashable, CaseIterable {
    case tables
    case ormSchema = "orm-schema"
    case describe
    case query
    case queryOne = "query-one"
    case exists
    case count
    case pluck
    case distinct
    case aggregate
    case insert
    case update
    case delete
    case updateWhere = "update-where"
    case deleteWhere = "delete-where"
    case upsert
    case role
    case createTable = "create-table"
    case addColumn = "add-column"
    case dropColumn = "drop-column"
    case renameTable = "rename-table"
    case renameColumn = "rename-column"
    case deleteTable = "delete-table"
    case luaCall = "lua-call"
    case luaList = "lua-list"
    case setPolicy = "set-policy"
    case exportSchema = "export-schema"
    case template
}
