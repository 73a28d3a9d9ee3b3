import LibP2P
import Logging
import NIOPosix
import PeerIdentity
import Testing

/// What needs no packet; everything else is checked between network namespaces by `lab/run`.
@Suite struct MDNSServiceTests {
    @Test(arguments: ["", "a..b", String(repeating: "x", count: 64)])
    func aServiceNameMustFitIntoTheDNS(_ name: String) throws {
        let refusal = try #require(throws: MDNSServiceNameError.self) {
            try MDNSService(
                serviceName: name, peer: PrivateKey.generate().peerID,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"),
                addresses: { [] }, onDiscovered: { _, _ in })
        }
        #expect(refusal.serviceName == name)
        #expect(refusal.description.contains("\"\(name)\""))
    }
}
