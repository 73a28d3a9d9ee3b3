/// The viewer could not start to listen.
public struct ViewerListenError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What stands in the way.
    public enum Reason: Sendable, Hashable {
        /// Another program has the port; `holder` names it where the system lets us see it.
        case portTaken(holder: String?)
        /// Ports below 1024 need a privilege.
        case notPermitted
        /// All ports that are tried without a configured one are taken.
        case noFreePort(first: Int, last: Int)
        /// The outer door cannot have its address.
        case outerAddress(String)
        /// The outer door cannot use its certificate or key.
        case certificate(String)
        /// Another answer of the system.
        case system(String)
    }

    /// The port that was tried, or the first of several.
    public let port: Int
    /// What stands in the way.
    public let reason: Reason

    /// Cause and next step.
    public var description: String {
        switch reason {
        case .portTaken(let holder):
            "the viewer cannot listen on 127.0.0.1:\(port): "
                + (holder.map { "\($0), already listens there. Stop it" } ?? "another program has this port. Stop it")
                + ", write another port to viewer.http_addr, or leave it empty to take the next free one."
        case .notPermitted:
            "the viewer may not listen on port \(port): the system refuses it to this user. "
                + "Write a port above 1023 to viewer.http_addr, or leave it empty."
        case .noFreePort(let first, let last):
            "the viewer found no free port from \(first) to \(last). Write a free one to viewer.http_addr, "
                + "or \"off\" for no viewer."
        case .outerAddress(let text):
            "the viewer cannot listen for other computers on port \(port): \(text). "
                + "Write an address of this computer and a free port to viewer.http_addr."
        case .certificate(let text):
            "the viewer cannot encrypt for other computers: \(text). "
                + "viewer.tls_certificate and viewer.tls_key must name PEM files that belong together."
        case .system(let text):
            "the viewer cannot listen on 127.0.0.1:\(port): \(text). Write another port to viewer.http_addr."
        }
    }
}
