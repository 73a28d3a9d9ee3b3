public import GoopCore

/// The tables of a peer as its owner uses them, from a command or from the running peer itself.
public protocol OwnerTables: Sendable {
    /// Performs an operation as the owner.
    func perform(_ request: DataRequest) async throws -> JSONValue
    /// Adds rows in one transaction; those that the table refuses are left out.
    ///
    /// - Parameter rows: at most 1,000, and not more than a megabyte or two.
    /// - Returns: which rows were refused, and why.
    func insert(_ rows: [JSONValue], into table: String) async throws -> [RefusedRow]
}

extension DataSession: OwnerTables {}

extension SiteTables: OwnerTables {
    func perform(_ request: DataRequest) async throws -> JSONValue { try await perform(request, caller: .owner) }
}
