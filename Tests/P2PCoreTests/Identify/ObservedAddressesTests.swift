import Multiformats
import P2PCore
import Testing

@Suite("Observed addresses")
struct ObservedAddressesTests {
    private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }

    private func observe(
        _ table: inout ObservedAddresses, _ observed: String, by observer: String, connection: UInt64,
        local: String = "/ip4/192.168.1.5/tcp/4001", listening: String = "/ip4/0.0.0.0/tcp/4001"
    ) throws {
        table.observed(
            try self.address(observed), on: connection, local: try self.address(local),
            remote: try self.address(observer), listening: [try self.address(listening)])
    }

    @Test("four observers of different networks make an address believed, and it goes with their connections")
    func threshold() throws {
        var table = ObservedAddresses()
        let outside = "/ip4/5.5.5.5/tcp/4001"
        for (index, host) in ["8.8.8.8", "8.8.4.4", "9.9.9.9", "9.9.9.9"].enumerated() {
            try self.observe(&table, outside, by: "/ip4/\(host)/tcp/1", connection: UInt64(index))
        }
        #expect(table.believed().isEmpty)
        try self.observe(&table, outside, by: "/ip4/1.1.1.1/tcp/1", connection: 9)
        #expect(table.believed() == [try self.address(outside)])
        #expect(table.isEndpointDependent == false)
        table.ended(0)
        #expect(table.believed().isEmpty)
    }

    @Test("an IPv6 customer, who has a /56, is one observer")
    func network() throws {
        var table = ObservedAddresses()
        func observe(by networks: [String], from first: UInt64) throws {
            for (index, network) in networks.enumerated() {
                try self.observe(
                    &table, "/ip6/2a00::5/tcp/4001", by: "/ip6/2a00:1:2:\(network)/tcp/1",
                    connection: first + UInt64(index), local: "/ip6/2a00::9/tcp/4001", listening: "/ip6/::/tcp/4001")
            }
        }
        try observe(by: ["3::1", "3::2", "4::1", "7f::1", "80::1", "ff::1"], from: 0)
        #expect(table.believed().isEmpty)
        try observe(by: ["103::1", "203::1", "303::1"], from: 100)
        #expect(table.believed() == [try self.address("/ip6/2a00::5/tcp/4001")])
    }

    @Test(
        "what tells nothing is ignored",
        arguments: [
            ("/ip4/5.5.5.5/tcp/4001", "/ip4/192.168.1.5/tcp/50000", "/ip4/8.8.8.%/tcp/1"),
            ("/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.%/tcp/1"),
            ("/ip6/2a00::1/tcp/4001", "/ip4/192.168.1.5/tcp/4001", "/ip4/8.8.8.%/tcp/1"),
            ("/ip4/0.0.0.0/tcp/4001", "/ip4/192.168.1.5/tcp/4001", "/ip4/8.8.8.%/tcp/1"),
            ("/ip4/5.5.5.5/tcp/4001", "/ip4/192.168.1.5/tcp/4001", "/ip4/192.168.1.%/tcp/1"),
            ("/ip4/5.5.5.5/udp/4001", "/ip4/192.168.1.5/tcp/4001", "/ip4/8.8.8.%/tcp/1"),
        ])
    func ignored(observed: String, local: String, observer: String) throws {
        var table = ObservedAddresses()
        for index in 1...6 {
            let remote = observer.split(separator: "%").joined(separator: String(index))
            try self.observe(&table, observed, by: remote, connection: UInt64(index), local: local)
        }
        #expect(table.believed().isEmpty)
    }

    @Test("a port for every destination is a NAT that cannot be punched; at most three addresses are believed")
    func endpointDependent() throws {
        var table = ObservedAddresses()
        #expect(table.isEndpointDependent == nil)
        for index in 1...5 {
            try self.observe(
                &table, "/ip4/5.5.5.5/tcp/\(40_000 + index)", by: "/ip4/8.8.8.\(index)/tcp/1", connection: UInt64(index)
            )
        }
        #expect(table.isEndpointDependent == true && table.believed().isEmpty)
        for port in 1...5 {
            for observer in 1...4 {
                try self.observe(
                    &table, "/ip4/6.6.6.6/tcp/\(port)", by: "/ip4/9.9.\(port).\(observer)/tcp/1",
                    connection: UInt64(100 * port + observer))
            }
        }
        #expect(table.believed().count == 3)
    }
}
