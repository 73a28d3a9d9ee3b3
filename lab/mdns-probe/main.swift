// A peer that only discovers, for the LAN lab: `mdns-probe [TAG] [LISTEN-ADDRESS ...]`. With MDNS_PROBE_LOCAL in the
// environment it speaks on the loopback interface only; with MDNS_PROBE_DEBUG it logs.
//
// Prints a JSON object a line: ready, discovered (with milliseconds since the start of the process's search), lost,
// stopped. Ends at SIGTERM, with a goodbye.

import Glibc
import LibP2P
import Logging
import Multiformats
import NIOPosix
import PeerIdentity
import ServiceLifecycle
import UnixSignals

let arguments = CommandLine.arguments.dropFirst()
let tag = arguments.first ?? "_p2p._udp"
let texts =
    arguments.dropFirst().isEmpty ? ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"] : Array(arguments.dropFirst())
let addresses = try texts.map { try Multiaddr(text: $0) }
var logger = Logger(label: "mdns-probe", factory: { StreamLogHandler.standardError(label: $0) })
logger.logLevel = getenv("MDNS_PROBE_DEBUG") == nil ? .warning : .trace

let peer = PrivateKey.generate().peerID
let started = ContinuousClock.now

@Sendable func say(_ event: String, _ more: String = "") {
    let elapsed = ContinuousClock.now - started
    let milliseconds = Double(elapsed.components.seconds) * 1e3 + Double(elapsed.components.attoseconds) / 1e15
    let line = Array("{\"event\":\"\(event)\",\"ms\":\(milliseconds)\(more)}\n".utf8)
    // Unbuffered: the lab reads along.
    _ = line.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

let service = try MDNSService(
    serviceName: tag, scope: getenv("MDNS_PROBE_LOCAL") == nil ? .everyInterface : .thisMachine, peer: peer,
    eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger,
    addresses: { addresses })
let events = service.events()
let telling = Task {
    for await event in events {
        switch event {
        case .discovered(let peer, let addresses):
            let list = addresses.map { "\"\($0)\"" }.joined(separator: ",")
            say("discovered", ",\"peer\":\"\(peer)\",\"addresses\":[\(list)]")
        case .lost(let peer, let reason): say("lost", ",\"peer\":\"\(peer)\",\"reason\":\"\(reason)\"")
        }
    }
}
say("ready", ",\"peer\":\"\(peer)\"")
let group = ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
try await group.run()
await telling.value
say("stopped")
