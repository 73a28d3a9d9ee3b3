import GoopTestKit
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

    @Test(
        "what is believed changes with the fourth observer that comes and the first of four that goes, and is told then only"
    )
    func changes() throws {
        var table = ObservedAddresses()
        func tell(_ observed: String, by observer: String, on connection: UInt64) throws -> Bool {
            table.observed(
                try self.address(observed), on: connection, local: try self.address("/ip4/192.168.1.5/tcp/4001"),
                remote: try self.address(observer), listening: [try self.address("/ip4/0.0.0.0/tcp/4001")])
        }
        let (here, there) = ("/ip4/5.5.5.5/tcp/4001", "/ip4/6.6.6.6/tcp/4001")
        var told = try (0..<3).map { try tell(here, by: "/ip4/8.8.8.\($0)/tcp/1", on: UInt64($0)) }
        // The same again, and a second connection of one that has spoken.
        told += [try tell(here, by: "/ip4/8.8.8.0/tcp/1", on: 0), try tell(here, by: "/ip4/8.8.8.0/tcp/1", on: 10)]
        #expect(told == [false, false, false, false, false] && table.believed() == [])
        #expect(try tell(here, by: "/ip4/8.8.8.3/tcp/1", on: 3))
        #expect(table.believed() == [try self.address(here)])
        // A fifth changes nothing, nor does the end of one of two connections.
        told = [try tell(here, by: "/ip4/8.8.8.4/tcp/1", on: 4), table.ended(10), table.ended(10), table.ended(4)]
        #expect(told == [false, false, false, false])
        #expect(try tell(there, by: "/ip4/8.8.8.3/tcp/1", on: 3))
        #expect(table.believed() == [])
        let remaining = (0..<11).map { table.ended($0) }
        #expect(remaining.allSatisfy { !$0 } && table.believed() == [])
    }

    @Test("the counts say after any sequence what the observations of then would say by themselves", arguments: 0..<4)
    func counts(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var table = ObservedAddresses()
        var told: [UInt64: (observed: String, by: String)] = [:]
        for _ in 0..<2_000 {
            let connection = UInt64.random(in: 0..<24, using: &random)
            let before = table.believed()
            let hasChanged: Bool
            if Int.random(in: 0..<4, using: &random) == 0 {
                told[connection] = nil
                hasChanged = table.ended(connection)
            } else {
                let observed = "/ip4/5.5.5.\(Int.random(in: 1...2, using: &random))/tcp/4001"
                let observer = "/ip4/8.8.8.\(Int.random(in: 1...8, using: &random))/tcp/1"
                told[connection] = (observed, observer)
                hasChanged = table.observed(
                    try self.address(observed), on: connection,
                    local: try self.address("/ip4/192.168.1.5/tcp/4001"), remote: try self.address(observer),
                    listening: [try self.address("/ip4/0.0.0.0/tcp/4001")])
            }
            #expect(hasChanged == (before != table.believed()))
            let byAddress = Dictionary(grouping: told.values, by: \.observed).mapValues { Set($0.map(\.by)).count }
            let believed = byAddress.filter { $0.value >= ObservedAddresses.neededObservers }.sorted {
                $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key
            }
            #expect(table.believed().map(\.description) == believed.map(\.key))
        }
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
