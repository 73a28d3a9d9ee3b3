import Multiformats

/// A flag of the command line: its name, what follows it, and what becomes of it.
///
/// The names are those of p2pd, so that a script written for it starts this daemon too.
enum DaemonFlag: String, CaseIterable {
    case listen
    case id
    case hostAddrs
    case announceAddrs
    case noise
    case tls
    case muxer
    case pubsub
    case pubsubRouter
    case connManager
    case connLo
    case connHi
    case connGrace
    /// Ours alone: p2pd has no such flag.
    case frameLog
    case q
    case help
    case h

    // What our node does not have, or always does.
    case idleTimeout
    case relay
    case relayActive
    case relayHop
    case relayService
    case relayDiscovery
    case relayHopLimit
    case autoRelay
    case trustedRelays
    case autonat
    case dht
    case dhtClient
    case dhtServer
    case b
    case bootstrapPeers
    case forceReachabilityPrivate
    case forceReachabilityPublic
    case natPortMap
    case quic

    /// Whether the flag stands alone or with `=true` and `=false`, instead of before a value.
    var isBoolean: Bool {
        switch self {
        case .listen, .id, .hostAddrs, .announceAddrs, .muxer, .pubsubRouter, .connLo, .connHi, .connGrace,
            .frameLog, .idleTimeout,
            .relayHopLimit, .trustedRelays, .bootstrapPeers:
            false
        case .noise, .tls, .pubsub, .connManager, .q, .help, .h, .relay, .relayActive, .relayHop, .relayService,
            .relayDiscovery, .autoRelay, .autonat, .dht, .dhtClient, .dhtServer, .b, .forceReachabilityPrivate,
            .forceReachabilityPublic, .natPortMap, .quic:
            true
        }
    }

    /// Why a flag is accepted without effect; `nil` for flags that have one.
    var reasonWithoutEffect: String? {
        switch self {
        case .idleTimeout: "the daemon runs until it is told to stop"
        case .relay, .relayActive, .relayHop, .relayService, .relayDiscovery, .relayHopLimit, .autoRelay,
            .trustedRelays:
            "there is no circuit relay in this daemon"
        case .autonat, .forceReachabilityPrivate, .forceReachabilityPublic:
            "there is no reachability check in this daemon"
        case .dht, .dhtClient, .dhtServer, .b, .bootstrapPeers: "there is no DHT in this daemon"
        case .natPortMap: "there is no port mapping in this daemon"
        case .quic: "there is no QUIC in this daemon"
        case .listen, .id, .hostAddrs, .announceAddrs, .noise, .tls, .muxer, .pubsub, .pubsubRouter, .connManager,
            .connLo, .connHi, .connGrace, .frameLog, .q, .help, .h:
            nil
        }
    }

    /// What a flag with an effect means, and what holds without it, as lines of the help; `nil` for flags without effect.
    var meaning: String? {
        let marks = DaemonOptions.ConnectionMarks()
        return switch self {
        case .listen: "where clients connect: /unix/PATH or /ip4/ADDRESS/tcp/PORT (\(DaemonOptions.defaultControl))"
        case .id: "the file of the private key, in libp2p's protobuf form (without it: a new peer at each start)"
        case .hostAddrs:
            """
            where other peers connect: TCP addresses with commas between them
            (\(DaemonOptions.defaultHost.map(\.description).joined(separator: ",")))
            """
        case .announceAddrs:
            "what other peers are told instead of these, with commas between them (what the daemon listens on)"
        case .noise: "offer Noise (true); one of Noise and TLS has to stay"
        case .tls: "offer TLS 1.3 (true)"
        case .muxer: "yamux, the only one there is (yamux)"
        case .pubsub: "publish and subscribe for clients (false)"
        case .pubsubRouter: "gossipsub, the only one there is (gossipsub)"
        case .connManager: "close connections beyond -connHi (false)"
        case .connLo: "to how many connections they are closed then (\(marks.low))"
        case .connHi: "beyond how many connections some are closed (\(marks.high))"
        case .connGrace: "how long a new connection is spared, such as 1m30s (\(marks.grace.components.seconds)s)"
        case .frameLog:
            """
            a capture: one JSON line for each Yamux frame of each connection, the protocols that are
            negotiated, and of GossipSub's RPCs the topics, what changes a mesh, and counts; never what
            messages and other streams carry. The file has mode 0600, begins anew, and holds at most
            \(FrameLog.maximumBytes >> 20) MiB; lines that find no room there, or come faster than the disk takes
            them, are dropped and counted in a line of their own (no capture)
            """
        case .q: "do not print the control address, the peer id and the listen addresses (false)"
        case .help, .h: "print this (false)"
        case .idleTimeout, .relay, .relayActive, .relayHop, .relayService, .relayDiscovery, .relayHopLimit, .autoRelay,
            .trustedRelays, .autonat, .forceReachabilityPrivate, .forceReachabilityPublic, .dht, .dhtClient, .dhtServer,
            .b, .bootstrapPeers, .natPortMap, .quic:
            nil
        }
    }

    /// The flag whose name is nearest to a mistyped one, if it is near enough to be meant.
    static func nearest(to name: String) -> DaemonFlag? {
        let candidates = allCases.filter { $0.rawValue.count > 1 }
            .map { (flag: $0, distance: distance(name.lowercased(), $0.rawValue.lowercased())) }
        guard let best = candidates.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(1, best.flag.rawValue.count / 3) ? best.flag : nil
    }

    /// How many insertions, deletions and replacements turn one name into the other.
    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8.prefix(64))
        let right = Array(right.utf8.prefix(64))
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let replaced = diagonal + (a == b ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, diagonal + 1, row[j] + 1)
            }
        }
        return row[right.count]
    }
}
