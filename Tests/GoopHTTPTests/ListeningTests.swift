import GoopCore
import GoopHTTP
import Logging
import Testing

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
