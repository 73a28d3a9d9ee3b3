import Foundation
import GoopCore
import GoopTestKit
import Logging
import PeerIdentity
import ServiceLifecycle
import Testing

@testable import GoopHTTP

@Suite("Live events", .timeLimit(.minutes(1))) struct EventTests {
    private func open(_ path: String, port: Int, _ connection: RawConnection) async throws {
        try await connection.send("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n")
    }

    @Test func aPageSeesArrivalChangeAndEnd() async throws {
        let backend = FakeBackend()
        let (first, second) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        backend.apply(.updated(.sample(first, label: "First")))
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                try await open("/api/events", port: port, connection)
                let head = try await connection.read(until: "event: snapshot")
                #expect(head.contains("HTTP/1.1 200"))
                #expect(head.lowercased().contains("content-type: text/event-stream"))
                #expect(head.contains("\"label\":\"First\"") && head.contains("\"label\":\"Owner\""))
                #expect(head.contains("id: 1\n"))
                #expect(!head.contains("example.org"), "no e-mail goes to the page")

                backend.apply(.updated(.sample(second, label: "Line\nbreak\r\n\r\nevent: fake")))
                let update = try await connection.read(until: "\n\n")
                #expect(update.contains("id: 2\nevent: peer\ndata: {"))
                #expect(update.contains("Line\\nbreak\\r\\n\\r\\nevent: fake"))

                backend.apply(.removed(first))
                let gone = try await connection.read(until: "\n\n")
                #expect(gone.contains("id: 3\nevent: gone\ndata: {\"id\":\"\(first)\"}"))
            }
        }
    }

    /// Of whoever has said goodbye a page shows nothing more; of whoever fell silent it keeps what was typed, for a while.
    @Test func aPageCanTellAGoodbyeFromSilence() {
        var entry = PeerEntry.sample(PrivateKey.generate().peerID, reachable: false)
        entry.offline = true
        #expect(!String(decoding: JSONText.encode(ViewerPeer(entry)), as: UTF8.self).contains("\"left\""))
        entry.saidGoodbye = true
        #expect(String(decoding: JSONText.encode(ViewerPeer(entry)), as: UTF8.self).contains("\"left\":true"))
    }

    @Test func manyWhoGoSilentTogetherAreGoneFromThePage() async throws {
        let backend = FakeBackend()
        let ids = (0..<2000).map { _ in PrivateKey.generate().peerID }
        for id in ids { backend.apply(.updated(.sample(id))) }
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                try await open("/api/events", port: port, connection)
                _ = try await connection.read(until: "event: snapshot")
                // More than anybody reads in one step.
                for id in ids {
                    var entry = PeerEntry.sample(id, reachable: false)
                    entry.offline = true
                    backend.apply(.updated(entry))
                }
                // A whole list comes, and in it nobody is there any more.
                let text = try await connection.read(until: "event: snapshot")
                let start = try #require(text.firstRange(of: "event: snapshot")).lowerBound
                var list = String(text[start...])
                while !list.contains("\n\n") { list += try await connection.read(until: "\n") }
                #expect(!list.contains(#""state":"online""#))
                #expect(list.components(separatedBy: #""state":"offline""#).count == 2001)
            }
        }
    }

    @Test func upstreamsStream() async throws {
        let backend = FakeBackend()
        let id = PrivateKey.generate().peerID
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                try await open("/api/mq/events", port: port, connection)
                _ = try await connection.read(until: "event: connected\ndata: {\"status\":\"ok\"}\n\n")
                backend.apply(.updated(.sample(id)))
                let text = try await connection.read(until: "\n\n")
                let data = try #require(text.firstMatch(of: /event: message\ndata: (.*)\n/)).1
                let object = try #require(
                    try JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any])
                let message = try #require(object["msg"] as? [String: Any])
                let payload = try #require(message["payload"] as? [String: Any])
                #expect(object["type"] as? String == "message" && object["from"] as? String == "")
                #expect(message["type"] as? String == "msg" && message["topic"] as? String == "peer:announce")
                #expect(Set(payload.keys) == ["peerID", "content", "email", "reachable", "lastSeen"])
                backend.apply(.removed(id))
                let gone = try await connection.read(until: "\n\n")
                #expect(gone.contains("\"payload\":{\"peerID\":\"\(id)\"}") && gone.contains("\"topic\":\"peer:gone\""))
            }
        }
    }

    @Test func aQuietStreamGetsSignsOfLife() async throws {
        try await withViewer(configure: { $0.heartbeat = .milliseconds(50) }) { port in
            try await RawConnection.open(port: port) { connection in
                try await open("/api/events", port: port, connection)
                _ = try await connection.read(until: ": alive\n\n")
            }
        }
    }

    @Test func placesAreLimitedAndGivenBack() async throws {
        try await withViewer(configure: { $0.maximumEventStreams = 1 }) { port in
            try await RawConnection.open(port: port) { connection in
                try await open("/api/events", port: port, connection)
                _ = try await connection.read(until: "snapshot")
                let second = try await request("/api/events", port: port)
                #expect(second.status == 503)
                #expect(second["retry-after"] != nil)
            }
            // The place is free once the server has noticed the closed connection.
            var status = 0
            while status != 200 {
                status = try await RawConnection.open(port: port) { connection in
                    try await open("/api/events", port: port, connection)
                    return RawAnswer(try await connection.read(until: "\r\n\r\n")).status
                }
            }
        }
    }

    /// Each kind of stream is told at the beginning of a shutdown. With an hour's grace, one that is not told ends this test by
    /// its time limit.
    @Test(arguments: [
        ("/api/events", "event: snapshot"), ("/api/mq/events", "event: connected"),
        ("/api/p/ID/watch", "event: ready"), ("/api/p/ID/data/subscribe?table=t", "event: ready"),
        ("/api/rooms/site/events", "event: site"),
    ])
    func aShutdownEndsOpenStreams(path: String, beginning: String) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        var configuration = ViewerConfiguration(address: .port(0)) { listening.yield($0.port) }
        configuration.shutdownGrace = .seconds(3600)
        let server = ViewerServer(
            configuration: configuration, backend: FakeBackend(), rooms: ViewerRooms(access: QuietAccess()),
            logger: Logger(label: "test"))
        let peer = PrivateKey.generate().peerID
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: server)], logger: Logger(label: "test")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            try await RawConnection.open(port: port) { connection in
                // Tables are asked for at the site's own origin; the viewer's pages have no other peer's.
                let host = path.contains("/data/") ? "\(peer.base36).localhost" : "127.0.0.1"
                try await connection.send(
                    "GET \(path.replacing("ID", with: peer.base58)) HTTP/1.1\r\nHost: \(host):\(port)\r\n\r\n")
                _ = try await connection.read(until: beginning)
                await group.triggerGracefulShutdown()
                _ = await connection.readToEnd()
            }
            try await tasks.waitForAll()
        }
    }

    @Test func aStreamThatBeginsWhileTheViewerClosesEndsToo() async {
        let places = StreamPlaces(limit: 2, limitPerPeer: 2)
        let peer = PrivateKey.generate().peerID
        let (early, late) = (places.take(for: peer), places.take(for: peer))
        let (ends, end) = AsyncStream.makeStream(of: String.self)
        early?.onClose { end.yield("early") }
        places.close()
        late?.onClose { end.yield("late") }
        places.close()
        end.finish()
        var ended: [String] = []
        for await name in ends { ended.append(name) }
        #expect(ended == ["early", "late"], "each once")
        #expect(places.take(for: PrivateKey.generate().peerID) == nil)
        withExtendedLifetime((early, late)) {}
    }

    @Test func noViewerWaitsForShutdown() async throws {
        let server = ViewerServer(
            configuration: ViewerConfiguration(address: .off), backend: FakeBackend(), logger: Logger(label: "test"))
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: server)], logger: Logger(label: "test")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

/// A site where nothing happens.
private final class QuietAccess: SiteAccess {
    private let news = AsyncStream.makeStream(of: Void.self)

    func audience() async -> AudienceSheet { AudienceSheet(name: .everyone, guests: []) }
    func decide(_ decision: AudienceDecision) async throws(AudienceError) -> AudienceSheet { await audience() }
    func visitors() async -> [Visitor] { [] }
    func known(_ peer: PeerID) async -> KnownPeer? { nil }
    func changes() async -> AsyncStream<Void> { news.stream }
}

@Suite("Event mailbox") struct EventMailboxTests {
    @Test func theNewestChangeOfEachPeerIsKept() {
        let mailbox = EventMailbox()
        let (first, second) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        mailbox.put(.updated(.sample(first, label: "1")))
        mailbox.put(.updated(.sample(second, label: "2")))
        mailbox.put(.updated(.sample(first, label: "3")))
        #expect(
            mailbox.take() == .changes([.updated(.sample(first, label: "3")), .updated(.sample(second, label: "2"))]))
        #expect(mailbox.take() == .heartbeat)
    }

    @Test func tooManyChangesBecomeASnapshot() {
        let mailbox = EventMailbox(limit: 2)
        for _ in 0..<5 { mailbox.put(.removed(PrivateKey.generate().peerID)) }
        #expect(mailbox.take() == .snapshot)
        #expect(mailbox.take() == .heartbeat)
    }

    /// Whatever the order of puts and takes, a reader that applies what it takes ends up with the truth.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func aReaderNeverEndsWrong(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let ids = (0..<6).map { _ in PrivateKey.generate().peerID }
        let mailbox = EventMailbox(limit: 4)
        var truth: [PeerID: PeerEntry] = [:]
        var seen: [PeerID: PeerEntry] = [:]
        func take() {
            switch mailbox.take() {
            case .heartbeat: break
            case .snapshot: seen = truth
            case .changes(let changes):
                for change in changes {
                    switch change {
                    case .updated(let entry): seen[entry.id] = entry
                    case .removed(let id): seen[id] = nil
                    }
                }
            }
        }
        for step in 0..<500 {
            let id = ids[Int.random(in: 0..<ids.count, using: &random)]
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                truth[id] = nil
                mailbox.put(.removed(id))
            case 1: take()
            default:
                let entry = PeerEntry.sample(id, label: "\(step)")
                truth[id] = entry
                mailbox.put(.updated(entry))
            }
        }
        take()
        #expect(seen == truth)
    }
}
