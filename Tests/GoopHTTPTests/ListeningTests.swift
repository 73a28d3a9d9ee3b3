import GoopCore
import Logging
import Multiformats
import NIOCore
import NIOPosix
import Testing

@testable import GoopHTTP

@Suite("Listening", .timeLimit(.minutes(1))) struct ListeningTests {
    @Test func bothLoopbackAddressesOnOnePort() async throws {
        try await withViewer { port in
            let four = try await request("/healthz", port: port)
            let six = try await request("/healthz", port: port, ip: "::1", fields: ["Host: [::1]:\(port)"])
            #expect(four.status == 200)
            #expect(six.status == 200)
        }
    }

    /// The outer door's connections from one address. Whose address counts is `OuterBinder`'s to say.
    @Test func oneAddressHasNoMoreThanItsShare() async throws {
        let registry = ConnectionRegistry(limit: 4, limitOfOneAddress: 2)
        var channels: [any Channel] = []
        for _ in 0..<6 {
            channels.append(
                try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .bind(host: "127.0.0.1", port: 0).get())
        }
        let (one, other) = (IPAddress("192.0.2.1"), IPAddress("192.0.2.2"))
        #expect(registry.admit(channels[0], from: one) && registry.admit(channels[1], from: one))
        #expect(!registry.admit(channels[2], from: one))
        #expect(registry.admit(channels[2], from: other), "who was turned away holds no place of the others")
        channels[0].close(promise: nil)
        try await channels[0].closeFuture.get()
        #expect(registry.admit(channels[3], from: one), "an end makes room")
        #expect(registry.admit(channels[4]), "a proxy's count to nobody")
        #expect(!registry.admit(channels[5]), "but to all")
        registry.closeAll()
        for channel in channels[..<5] { try await channel.closeFuture.get() }
        try await channels[5].close()
    }

    /// Neighbours with IPv6 are not one address, and together have half.
    @Test func inALocalNetworkEachAddressHasItsShareAndAllHaveHalf() async throws {
        let registry = ConnectionRegistry(limit: 6, limitOfOneAddress: 2)
        var channels: [any Channel] = []
        for _ in 0..<5 {
            channels.append(
                try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .bind(host: "127.0.0.1", port: 0).get())
        }
        let (one, other, third) = (IPAddress("fd00::1"), IPAddress("fd00::2"), IPAddress("fd00::3"))
        #expect(registry.admit(channels[0], from: one) && registry.admit(channels[1], from: one))
        #expect(!registry.admit(channels[2], from: one))
        #expect(registry.admit(channels[2], from: other))
        #expect(!registry.admit(channels[3], from: third), "three of six are the network's")
        #expect(registry.admit(channels[3], from: IPAddress("2001:db8::1")), "which leaves others theirs")
        channels[0].close(promise: nil)
        try await channels[0].closeFuture.get()
        #expect(registry.admit(channels[4], from: third), "an end makes room")
        registry.closeAll()
        for channel in channels { try await channel.closeFuture.get() }
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

    @Test func aPortThatAnotherHasIsToldWithThePortThatIsTaken() async throws {
        try await withViewer { first in
            try await withViewerEndpoint(
                FakeBackend(), rooms: ViewerRooms(),
                configure: {
                    $0.address = .automatic
                    $0.rememberedPort = first
                }
            ) { endpoint in
                #expect(endpoint.port != first && endpoint.instead?.port == first)
                #if os(Linux)
                    #expect(endpoint.instead?.holder?.contains("process") == true)
                #endif
            }
        }
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
