import GoopCore
import HTTPTypes
import Multiformats

/// Who may speak to the outer door, and from where a request really comes.
///
/// Without proxies everybody may connect, and what a request says of its way counts for nothing. With proxies only they
/// may, and they say how the browser reached them.
struct ProxyPolicy: Sendable {
    enum Verdict: Sendable, Equatable {
        /// Go on; the browser's address as far as it is known.
        case admitted(client: IPAddress?)
        /// Proxies are named in the settings, and this is none of them.
        case notAProxy
        /// The proxy does not say that the browser came by HTTPS.
        case notEncrypted
    }

    /// The most addresses of one request that are looked at, from the end.
    static let maximumHops = 16

    let proxies: [IPPrefix]

    /// - Parameter peer: the other end of the connection.
    func judge(peer: IPAddress?, fields: HTTPFields) -> Verdict {
        guard !proxies.isEmpty else { return .admitted(client: peer) }
        guard let peer, isProxy(peer) else { return .notAProxy }
        guard fields[values: .forwardedProto].map({ $0.lowercased() }) == ["https"] else { return .notEncrypted }
        return .admitted(client: client(behind: peer, fields: fields))
    }

    /// The last address that no proxy of ours has: what stands before it anybody can have written.
    private func client(behind peer: IPAddress, fields: HTTPFields) -> IPAddress {
        var client = peer
        let hops = fields[values: .forwardedFor].joined(separator: ",").split(separator: ",")
        for hop in hops.suffix(Self.maximumHops).reversed() {
            guard let address = IPAddress(hop.trimmingBlanks())?.unmapped else { return client }
            client = address
            if !isProxy(address) { return client }
        }
        return client
    }

    private func isProxy(_ address: IPAddress) -> Bool { proxies.contains { $0.contains(address) } }
}

extension HTTPField.Name {
    static let forwardedProto = HTTPField.Name("X-Forwarded-Proto") ?? .accept
    static let forwardedFor = HTTPField.Name("X-Forwarded-For") ?? .accept
    static let forwardedHost = HTTPField.Name("X-Forwarded-Host") ?? .accept
    static let forwarded = HTTPField.Name("Forwarded") ?? .accept
}
