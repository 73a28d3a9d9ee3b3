package import Multiformats
package import PeerIdentity

/// An address that begins with a name: what to ask of the DNS, and what the answer leads to.
///
/// `/dns`, `/dns4` and `/dns6` stand for the name's IP addresses, each in place of the name and with the rest behind it.
/// `/dnsaddr/D` stands for a list of whole addresses: the TXT records of `_dnsaddr.D` that begin with `dnsaddr=`. Of those, the ones
/// count that end with what stands behind the name and with the id of the peer that is wanted; names may be among them.
///
/// Answers are strangers' words, and pure functions read them here: at most `maximumAddresses` are taken of one name.
/// Source: libp2p addressing specification, "dnsaddr"; multiaddr, `dns` protocols.
package struct NamedAddress: Sendable, Hashable {
    /// Addresses taken of one name.
    package static let maximumAddresses = 16
    /// Names that may lead to one another before an IP address has to come.
    package static let maximumDepth = 4

    /// Which kinds of IP address are wanted.
    package enum Families: Sendable, Hashable { case both, v4, v6 }

    /// What is asked of the DNS.
    package enum Question: Sendable, Hashable {
        /// The IP addresses of a name.
        case addresses(of: String, Families)
        /// The TXT records of a name.
        case texts(of: DNSName)
    }

    /// The whole address.
    package let address: Multiaddr
    private let name: String
    private let kind: MultiaddrProtocol

    /// Nil for an address that begins with something else than a name.
    package init?(_ address: Multiaddr) {
        guard let first = address.first, let name = address.dnsName else { return nil }
        self.address = address
        self.name = name
        self.kind = first.protocol
    }

    /// Whether the name stands for a list of whole addresses, whatever they are.
    package var isList: Bool { self.kind == .dnsaddr }

    /// What it may lead to, for whoever must know whether anything could dial it; none for a list.
    package var examples: [Multiaddr] {
        guard !self.isList else { return [] }
        // Ranges for documentation (RFC 5737, RFC 3849): nobody is there.
        return [IPAddress.v4(0xc000_0201), .v6(high: 0x2001_0db8_0000_0000, low: 1)]
            .compactMap { self.isWanted($0) ? self.address.replacingName(with: $0) : nil }
    }

    /// What to ask; nil for a list whose name the DNS cannot hold.
    package var question: Question? {
        switch self.kind {
        case .dns4: .addresses(of: self.name, .v4)
        case .dns6: .addresses(of: self.name, .v6)
        case .dnsaddr: (try? DNSName(text: "_dnsaddr." + self.name)).map(Question.texts)
        default: .addresses(of: self.name, .both)
        }
    }

    /// Where the name leads that has these IP addresses, in their order.
    package func addresses(at found: [IPAddress]) -> [Multiaddr] {
        var addresses: [Multiaddr] = []
        for ip in found where addresses.count < Self.maximumAddresses && self.isWanted(ip) {
            guard let address = self.address.replacingName(with: ip), !addresses.contains(address) else { continue }
            addresses.append(address)
        }
        return addresses
    }

    /// Where a list leads: the addresses of `peer` in these records, without their `/p2p` part. A malformed one costs only itself.
    ///
    /// - Parameter peer: nil takes the addresses of whomever, as they are.
    package func addresses(in texts: [[UInt8]], of peer: PeerID?) -> [Multiaddr] {
        let key = Array("dnsaddr=".utf8)
        let wanted = peer.map { self.address.withoutPeerID.appending(peerIDBytes: $0.bytes) } ?? self.address
        let ending = wanted.components.dropFirst()
        var found: [Multiaddr] = []
        for text in texts where text.starts(with: key) && found.count < Self.maximumAddresses {
            guard let text = String(validating: text.dropFirst(key.count), as: UTF8.self),
                let address = try? Multiaddr(text: text), address.components.suffix(ending.count) == ending
            else { continue }
            let bare = peer == nil ? address : address.withoutPeerID
            // Nothing but an id, or an id twice, is nowhere to dial.
            if let peer, bare.peerIDBytes == peer.bytes { continue }
            if !found.contains(bare) { found.append(bare) }
        }
        return found
    }

    /// The TXT records in an answer of the DNS, the strings of each put together; none if it is no answer that can be read.
    package static func texts(in answer: [UInt8]) -> [[UInt8]] {
        guard let message = try? DNSMessage(bytes: answer), message.isResponse, message.responseCode == 0 else {
            return []
        }
        return message.answers.compactMap { record in
            guard case .txt(let strings) = record.data, record.recordClass == DNSClass.internet else { return nil }
            return Array(strings.joined())
        }
    }

    private func isWanted(_ ip: IPAddress) -> Bool {
        switch self.kind {
        case .dns4: !ip.isIPv6
        case .dns6: ip.isIPv6
        default: true
        }
    }
}
