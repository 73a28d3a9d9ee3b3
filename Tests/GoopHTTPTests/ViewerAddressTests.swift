import GoopHTTP
import Logging
import Testing

@Suite("viewer.http_addr") struct ViewerAddressTests {
    @Test(arguments: [
        ("", ViewerAddress.automatic), ("  \n", .automatic), ("off", .off), (" OFF ", .off), (":8081", .port(8081)),
        ("127.0.0.1:8080", .port(8080)), ("localhost:9000", .port(9000)), ("LocalHost:9000", .port(9000)),
        ("[::1]:80", .port(80)), ("0.0.0.0:8080", .port(8080)), ("*:8080", .port(8080)), ("[::]:8080", .port(8080)),
        (":0", .port(0)), (":65535", .port(65535)),
    ])
    func accepted(_ text: String, _ address: ViewerAddress) throws {
        #expect(try ViewerAddress(configured: text) == address)
    }

    @Test(arguments: [
        ("8080", ViewerAddressError.Reason.missingColon(8080)), ("localhost", .missingPort),
        (":65536", .badPort("65536")), (":", .badPort("")), (":-1", .badPort("-1")), (":80 80", .badPort("80 80")),
        (":999999999999999999999", .badPort("999999999999999999999")), (":٣", .badPort("٣")),
        ("192.168.1.5:8080", .beyondLoopback(host: "192.168.1.5", port: 8080)),
        ("[fe80::1]:80", .beyondLoopback(host: "[fe80::1]", port: 80)),
        ("::1:80", .beyondLoopback(host: "::1", port: 80)),
        ("127.0.0.2:80", .beyondLoopback(host: "127.0.0.2", port: 80)),
        ("example.org:80", .beyondLoopback(host: "example.org", port: 80)),
    ])
    func refused(_ text: String, _ reason: ViewerAddressError.Reason) {
        #expect { try ViewerAddress(configured: text) } throws: { ($0 as? ViewerAddressError)?.reason == reason }
    }

    @Test func errorNamesTheNextStep() throws {
        let error = #expect(throws: ViewerAddressError.self) { try ViewerAddress(configured: "10.0.0.1:81") }
        #expect(try #require(error).description.contains("Write \"127.0.0.1:81\""))
    }
}

@Suite("Listening", .timeLimit(.minutes(1))) struct ListeningTests {
    @Test func bothLoopbackAddressesOnOnePort() async throws {
        try await withViewer { port in
            let four = try await request("/healthz", port: port)
            let six = try await request("/healthz", port: port, ip: "::1", fields: ["Host: [::1]:\(port)"])
            #expect(four.status == 200)
            #expect(six.status == 200)
        }
    }

    @Test func aWrittenAndTakenPortIsAnErrorThatNamesTheHolder() async throws {
        try await withViewer { port in
            let second = ViewerServer(
                configuration: ViewerConfiguration(address: .port(port)), backend: FakeBackend(),
                logger: Logger(label: "test"))
            let error = await #expect(throws: ViewerListenError.self) { try await second.run() }
            #expect(error?.port == port)
            guard case .portTaken(let holder) = try #require(error).reason else {
                Issue.record("wrong reason: \(String(describing: error))")
                return
            }
            #if os(Linux)
                #expect(holder?.contains("process") == true)
            #endif
            #expect(try #require(error).description.contains("viewer.http_addr"))
        }
    }

    @Test func automaticTakesTheNextFreePort() async throws {
        // Three viewers at once: whatever else runs on this machine, they get three different ports.
        let ports = Ports()
        try await withViewer(configure: { $0.address = .automatic }) { first in
            ports.add(first)
            try await withViewer(configure: { $0.address = .automatic }) { second in
                ports.add(second)
                try await withViewer(configure: {
                    $0.address = .automatic; $0.rememberedPort = first
                }) { third in
                    ports.add(third)
                }
            }
        }
        #expect(ports.all.count == 3)
    }

    @Test func aRememberedPortIsTakenAgain() async throws {
        let ports = Ports()
        try await withViewer { ports.add($0) }
        let port = try #require(ports.all.first)
        try await withViewer(configure: {
            $0.address = .automatic; $0.rememberedPort = port
        }) { again in
            #expect(again == port)
        }
    }
}

import Synchronization

private final class Ports: Sendable {
    private let ports = Mutex<Set<Int>>([])
    var all: Set<Int> { ports.withLock { $0 } }
    func add(_ port: Int) { ports.withLock { _ = $0.insert(port) } }
}
