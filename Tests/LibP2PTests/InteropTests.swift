import Foundation
import LibP2P
import NIOCore
import Testing

/// A process of the interop kit: `INTEROP_KIT` is the folder of its scripts, `INTEROP_PEERS` where its peers are installed.
final class KitProcess: @unchecked Sendable {
    // `@unchecked`: used by one test, which does not share it.
    static let kit = ProcessInfo.processInfo.environment["INTEROP_KIT"]
    static let peers = ProcessInfo.processInfo.environment["INTEROP_PEERS"]
    static var isInstalled: Bool { self.kit != nil && self.peers != nil }

    private let process = Process()
    private let output = Pipe()
    private var buffered = Data()
    private let isScript: Bool

    init(script: String, _ arguments: [String]) throws {
        let kit = try #require(Self.kit)
        let peers = try #require(Self.peers)
        let path = "\(kit)/\(script)"
        self.isScript = script.hasSuffix(".py")
        if self.isScript {
            self.process.executableURL = URL(fileURLWithPath: "\(peers)/venv/bin/python")
            self.process.arguments = [path] + arguments
        } else {
            self.process.executableURL = URL(fileURLWithPath: path)
            self.process.arguments = [peers] + arguments
        }
        self.process.standardOutput = self.output
        try self.process.run()
    }

    deinit {
        guard self.process.isRunning else { return }
        self.process.terminate()
        // A script may have inherited a mask that blocks the signal; this one it cannot refuse.
        if self.isScript { kill(self.process.processIdentifier, SIGKILL) }
    }

    /// The next line as a JSON object; nil at the end.
    func nextEvent() async -> [String: Any]? {
        while true {
            if let end = self.buffered.firstIndex(of: UInt8(ascii: "\n")) {
                let line = self.buffered[..<end]
                self.buffered = Data(self.buffered[(end + 1)...])
                if let event = try? JSONSerialization.jsonObject(with: line) as? [String: Any] { return event }
                continue
            }
            let handle = self.output.fileHandleForReading
            let more = await withCheckedContinuation { continuation in
                DispatchQueue.global().async { continuation.resume(returning: handle.availableData) }
            }
            if more.isEmpty { return nil }
            self.buffered += more
        }
    }

    /// Reads to the end of the output; true if the process was content.
    func succeeded() async -> (Bool, [String]) {
        var lines: [String] = []
        while let event = await self.nextEvent() { lines.append("\(event)") }
        self.process.waitUntilExit()
        return (self.process.terminationStatus == 0, lines)
    }

    struct Ready {
        let peer: PeerID
        let addresses: [Multiaddr]
        let control: String?
    }

    func ready() async throws -> Ready {
        while let event = await self.nextEvent() {
            guard event["event"] as? String == "ready" else { continue }
            let peer = try PeerID(text: try #require(event["peer_id"] as? String))
            let texts = try #require(event["addrs"] as? [String])
            return Ready(
                peer: peer, addresses: try texts.map { try Multiaddr(text: $0) }, control: event["control"] as? String)
        }
        throw P2PError(.endOfStream, "the peer did not start")
    }
}

@Suite(
    "Interop with other implementations", .serialized, .timeLimit(.minutes(3)),
    .enabled(if: KitProcess.isInstalled, "INTEROP_KIT and INTEROP_PEERS name the interop kit"))
struct InteropTests {
    static let securities = ["noise", "tls"].filter { name in
        Node.supportedSecurity.contains { $0.name.hasPrefix("/\(name)") }
    }

    private func identified(_ events: NodeEvents, _ peer: PeerID) async throws -> IdentifyInfo {
        try await first(of: events) { event in
            if case .identified(peer, let info) = event { info } else { nil }
        }
    }

    @Test("we dial go-libp2p: identify, ping, echo", arguments: Self.securities)
    func weDialGo(security: String) async throws {
        let go = try KitProcess(script: "go_peer.sh", ["--security", security, "--for", "60"])
        let ready = try await go.ready()
        let echo = try KitProcess(script: "go_ctl.py", [try #require(ready.control), "echo-server"])
        _ = await echo.nextEvent()
        try await withNodes(1) { nodes in
            let events = nodes[0].events()
            let info = try await nodes[0].connect(to: ready.peer, addresses: ready.addresses)
            #expect(info.security.name.hasPrefix("/\(security)"))
            let said = try await self.identified(events, ready.peer)
            #expect(said.agentVersion == "p2pd/0.1")
            #expect(said.signedRecord != nil)
            #expect(try await nodes[0].ping(ready.peer) < .seconds(1))
            for size in [1, 1_000, 2_000_000] {
                #expect(try await self.echo(size, through: nodes[0], to: ready.peer) == size)
            }
        }
        withExtendedLifetime(echo) {}
    }

    @Test("go-libp2p dials us: ping, echo", arguments: Self.securities)
    func goDialsUs(security: String) async throws {
        let go = try KitProcess(script: "go_peer.sh", ["--security", security, "--for", "60"])
        let ready = try await go.ready()
        let control = try #require(ready.control)
        try await withNodes(1) { nodes in
            nodes[0].serveEcho()
            let address = try #require(nodes[0].listenAddresses().first).appending(nodes[0].peerID).description
            let events = nodes[0].events()
            for command in ["ping", "echo"] {
                let (isContent, lines) = try await KitProcess(script: "go_ctl.py", [control, command, address])
                    .succeeded()
                #expect(isContent, "\(command): \(lines)")
            }
            #expect(try await self.identified(events, ready.peer).agentVersion == "p2pd/0.1")
        }
        withExtendedLifetime(go) {}
    }

    @Test("py-libp2p dials us: identify, push, ping, echo", arguments: Self.securities)
    func pyDialsUs(security: String) async throws {
        try await withNodes(1) { nodes in
            nodes[0].serveEcho()
            let address = try #require(nodes[0].listenAddresses().first).appending(nodes[0].peerID).description
            let (isContent, lines) = try await KitProcess(
                script: "py_peer.py", ["dial", address, "--do", "identify,push,ping,echo", "--security", security]
            ).succeeded()
            #expect(isContent, "\(lines)")
        }
    }

    @Test("we dial py-libp2p: identify, ping, echo", arguments: Self.securities)
    func weDialPy(security: String) async throws {
        let py = try KitProcess(script: "py_peer.py", ["listen", "--security", security, "--for", "60"])
        let ready = try await py.ready()
        try await withNodes(1) { nodes in
            let events = nodes[0].events()
            try await nodes[0].connect(to: ready.peer, addresses: ready.addresses)
            #expect(try await self.identified(events, ready.peer).agentVersion.hasPrefix("py-libp2p/"))
            #expect(try await nodes[0].ping(ready.peer) < .seconds(2))
            #expect(try await self.echo(100_000, through: nodes[0], to: ready.peer) == 100_000)
        }
        withExtendedLifetime(py) {}
    }

    @Test("we dial kubo, whose key is RSA: identify, ping, echo", arguments: Self.securities)
    func weDialKubo(security: String) async throws {
        let peers = try #require(KitProcess.peers)
        let kubo = try KitProcess(script: "kubo_peer.py", [peers, "--security", security, "--echo", "--for", "60"])
        let ready = try await kubo.ready()
        try await withNodes(1) { nodes in
            let events = nodes[0].events()
            try await nodes[0].connect(to: ready.peer, addresses: ready.addresses)
            let said = try await self.identified(events, ready.peer)
            #expect(said.agentVersion.hasPrefix("kubo/") && said.signedRecord != nil)
            #expect(try await nodes[0].ping(ready.peer) < .seconds(2))
            #expect(try await self.echo(100_000, through: nodes[0], to: ready.peer, "/x/echo") == 100_000)
        }
        withExtendedLifetime(kubo) {}
    }

    private func echo(_ size: Int, through node: Node, to peer: PeerID, _ name: ProtocolID = "/echo/1.0.0") async throws
        -> Int
    {
        let stream = try await node.openStream(to: peer, protocols: [name])
        async let written: Void = stream.write(ByteBuffer(repeating: 5, count: size))
        var count = 0
        while count < size, let bytes = try await stream.read() { count += bytes.readableBytes }
        try await written
        await stream.close()
        return count
    }
}
