import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import Testing

@testable import P2PSwarm

@Suite struct NetworkInterfaceTests {
    @Test func theLoopbackInterfaceIsThere() throws {
        let interfaces = NetworkInterface.current()
        let loopback = try #require(interfaces.first { $0.isLoopback })
        #expect(loopback.index > 0)
        #expect(loopback.addresses.contains(InterfaceAddress(.v4(0x7f00_0001), prefixLength: 8)))
        #expect(interfaces == interfaces.sorted { $0.index < $1.index })
        #expect(Set(interfaces.map(\.index)).count == interfaces.count)
    }

    @Test(.timeLimit(.minutes(1))) func aWatchReportsThePresentFirstAndStops() async throws {
        let (reports, continuation) = AsyncStream.makeStream(
            of: [NetworkInterface].self, bufferingPolicy: .bufferingNewest(8))
        let watch = InterfaceWatch(eventLoop: MultiThreadedEventLoopGroup.singleton.next()) { continuation.yield($0) }
        watch.start()
        var iterator = reports.makeAsyncIterator()
        let first = try #require(await iterator.next(isolation: nil))
        #expect(first.contains { $0.isLoopback })
        try await watch.stop().get()
        try await watch.stop().get()
    }

    @Test func prefixesAreCompared() throws {
        func entry(_ text: String, _ length: Int) throws -> InterfaceAddress {
            let address = try #require(IPAddress(text))
            return InterfaceAddress(address, prefixLength: length)
        }
        func shares(_ a: String, _ length: Int, _ b: String) throws -> Bool {
            let other = try #require(IPAddress(b))
            return try entry(a, length).sharesPrefix(with: other)
        }
        #expect(try shares("10.1.2.3", 24, "10.1.2.200"))
        #expect(try !shares("10.1.2.3", 24, "10.1.3.3"))
        #expect(try shares("10.1.2.3", 0, "200.1.3.3"))
        #expect(try shares("10.1.2.3", 32, "10.1.2.3"))
        #expect(try !shares("10.1.2.3", 32, "10.1.2.2"))
        #expect(try shares("fd00::1", 64, "fd00::ffff:0:0:2"))
        #expect(try !shares("fd00::1", 64, "fd00:0:0:1::1"))
        #expect(try shares("fd00::1", 127, "fd00::"))
        #expect(try !shares("fd00::1", 128, "fd00::"))
        #expect(try shares("fd00::1", 0, "2000::1"))
        #expect(try !shares("fd00::1", 0, "1.2.3.4"))
        #expect(try entry("10.1.2.3", 99).prefixLength == 32)
    }
}
