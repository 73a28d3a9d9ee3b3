public import GoopCore

/// What a viewer needs for its outer door, besides what every viewer needs.
public struct OuterDoorConfiguration: Sendable {
    /// Where, for whom, under which names. The names of its files are absolute.
    public var access: OuterAccess
    /// What the password of `access` comes to, and perhaps another one later.
    public var lock: OuterLock
    /// Open connections at once; one more is answered with 503 and closed. The inner door has its own.
    public var maximumConnections = 256
    /// Of these from one address, unless it is a proxy.
    public var maximumConnectionsOfOneAddress = 48
    /// Sessions, and how long they last.
    var sessions = SessionTable.Limits()
    /// How often a password may be tried.
    var attempts = LoginThrottle.Limits()

    /// Both; the limits are the usual ones.
    public init(access: OuterAccess, password: PasswordHash) {
        self.access = access
        lock = OuterLock(password)
    }

    /// Sees whether certificate and key can be used, as a start does.
    /// - Throws: what is wrong with them.
    public func checkFiles() throws(ViewerListenError) { _ = try OuterBinder.context(of: access) }
}
