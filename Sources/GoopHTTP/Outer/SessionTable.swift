import Crypto
import Multiformats
import Synchronization

/// Names a session inside of the viewer; says nothing about its secret.
struct SessionID: Sendable, Hashable {
    let number: UInt64
}

/// Who has signed in at the outer door, in memory only: a restart signs everybody out.
///
/// Knows the connections that answer requests of a session at this moment, and closes them with it: an event stream does
/// not outlive the right to read it.
final class SessionTable: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Limits: Sendable {
        /// At the bound the session that was not used for longest ends.
        var sessions = 16
        /// A session that asks for nothing and has no stream open ends after this time.
        var idle = Duration.seconds(2 * 3600)
        /// No session lasts longer.
        var lifetime = Duration.seconds(12 * 3600)
    }

    /// A connection, as far as a session cares.
    struct Connection: Sendable {
        let id: ObjectIdentifier
        let close: @Sendable () -> Void
    }

    private struct Session {
        var digest: [UInt8]
        var began: Instant
        var used: Instant
        var connections: [ObjectIdentifier: Connection] = [:]
    }

    private struct State {
        var sessions: [SessionID: Session] = [:]
        var byDigest: [[UInt8]: SessionID] = [:]
        /// Which session each busy connection works for.
        var places: [ObjectIdentifier: SessionID] = [:]
        var last: UInt64 = 0

        mutating func remove(_ id: SessionID) -> [Connection] {
            guard let session = sessions.removeValue(forKey: id) else { return [] }
            byDigest[session.digest] = nil
            for key in session.connections.keys { places[key] = nil }
            return Array(session.connections.values)
        }
    }

    /// For whom, and where, a task answers a request.
    struct Asking: Sendable {
        var session: SessionID
        var connection: ObjectIdentifier
    }

    /// What this task answers.
    @TaskLocal static var asking: Asking?

    private let limits: Limits
    private let onEnd: @Sendable (SessionID) -> Void
    private let state = Mutex(State())

    /// - Parameter onEnd: called once for each session that ends, before its connections are closed.
    init(limits: Limits = Limits(), onEnd: @escaping @Sendable (SessionID) -> Void = { _ in }) {
        self.limits = limits
        self.onEnd = onEnd
    }

    /// Begins a session.
    /// - Returns: its secret, 64 hexadecimal digits, which is not kept.
    func open(now: Instant) -> String {
        let token = Self.newToken()
        let digest = Self.digest(token)
        let oldest = state.withLock { state -> SessionID? in
            state.last &+= 1
            let id = SessionID(number: state.last)
            state.sessions[id] = Session(digest: digest, began: now, used: now)
            state.byDigest[digest] = id
            guard state.sessions.count > limits.sessions else { return nil }
            return state.sessions.filter { $0.key != id }.min { $0.value.used < $1.value.used }?.key
        }
        if let oldest { close(oldest) }
        return token
    }

    /// A request with a secret begins; nil if no session has it. `leave` ends what this began.
    func enter(_ token: some StringProtocol, on connection: Connection, now: Instant) -> SessionID? {
        guard token.utf8.count == 64 else { return nil }
        let digest = Self.digest(String(token))
        guard let id = state.withLock({ $0.byDigest[digest] }), enter(id, on: connection, now: now) else { return nil }
        return id
    }

    /// A request that belongs to a session for another reason begins; false if the session has ended.
    func enter(_ id: SessionID, on connection: Connection, now: Instant) -> Bool {
        state.withLock { state in
            guard var session = state.sessions[id], !isOver(session, now: now) else { return false }
            session.used = max(session.used, now)
            session.connections[connection.id] = connection
            state.sessions[id] = session
            state.places[connection.id] = id
            return true
        }
    }

    /// The answer on this connection is complete, or has failed.
    func leave(_ connection: ObjectIdentifier, now: Instant) {
        state.withLock { state in
            guard let id = state.places.removeValue(forKey: connection) else { return }
            state.sessions[id]?.connections[connection] = nil
            state.sessions[id]?.used = now
        }
    }

    /// Ends a session and closes what works for it, apart from the connection that asks for this.
    func close(_ id: SessionID, except asking: ObjectIdentifier? = nil) {
        let connections = state.withLock { $0.remove(id) }
        onEnd(id)
        for connection in connections where connection.id != asking { connection.close() }
    }

    /// Ends the session that has a secret.
    func close(_ token: String) {
        let digest = Self.digest(token)
        if let id = state.withLock({ $0.byDigest[digest] }) { close(id) }
    }

    /// Ends all sessions but one.
    func closeAll(except spared: SessionID) {
        let others = state.withLock { state in state.sessions.keys.filter { $0 != spared } }
        for id in others { close(id) }
    }

    /// Ends all sessions, and closes what works for them, apart from the connection that asks for this.
    func closeAll(exceptConnection asking: ObjectIdentifier? = nil) {
        for id in state.withLock({ Array($0.sessions.keys) }) { close(id, except: asking) }
    }

    /// Ends what is over. To be called now and then, for a stream asks for nothing any more.
    func expire(now: Instant) {
        let over = state.withLock { state in
            state.sessions.filter { isOver($0.value, now: now) }.map(\.key)
        }
        for id in over { close(id) }
    }

    private func isOver(_ session: Session, now: Instant) -> Bool {
        if now - session.began >= limits.lifetime { return true }
        return session.connections.isEmpty && now - session.used >= limits.idle
    }

    private static func digest(_ token: String) -> [UInt8] { Array(SHA256.hash(data: Array(token.utf8))) }

    /// 256 random bits.
    private static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<4).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
