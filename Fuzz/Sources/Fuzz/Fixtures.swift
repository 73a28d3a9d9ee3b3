import Multiformats
import PeerIdentity

/// A generator that is the same in every run: the fuzzer has to be able to repeat what it saw.
struct FixedGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64 = 0x9e37_79b9_7f4a_7c15

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// Some peers; the first one is ourselves.
let peers: [PeerID] = (1...8).compactMap { first in
    try? PrivateKey(ed25519Seed: [UInt8](repeating: first, count: 32)).peerID
}

/// Addresses of every kind that counts differently somewhere; the texts are right.
let addresses: [Multiaddr] = [
    "/ip4/192.0.2.1/tcp/1", "/ip4/8.8.8.8/tcp/4001", "/ip4/8.8.8.9/tcp/4001", "/ip4/8.8.9.8/tcp/4001",
    "/ip4/9.9.9.9/tcp/1",
    "/ip4/10.0.0.1/tcp/4001", "/ip4/192.168.1.9/tcp/4001", "/ip4/127.0.0.1/tcp/4001", "/ip4/0.0.0.0/tcp/4001",
    "/ip4/224.0.0.1/tcp/4001", "/ip4/8.8.8.8/tcp/0", "/ip6/2a00::1/tcp/4001", "/ip6/2a00:0:0:100::1/tcp/4001",
    "/ip6/fe80::1/tcp/4001", "/ip6/::1/tcp/4001", "/ip6/::ffff:8.8.8.8/tcp/4001", "/ip4/8.8.8.8/udp/1/quic-v1",
    "/dns4/a.example/tcp/1", "/dns/b.example/tcp/1", "/dnsaddr/c.example", "/ip4/8.8.8.8/tcp/4001/ws",
].compactMap { Multiaddr($0) }
