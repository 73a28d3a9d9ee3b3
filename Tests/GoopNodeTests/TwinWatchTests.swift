import GoopHTTP
import LibP2P
import Testing

@testable import GoopNode

/// A second program with this peer's key, or somebody who says so.
@Suite(.timeLimit(.minutes(1))) struct TwinWatchTests {
    private let temporary = TemporaryFolder()
    private var watch = TwinWatch()
    private let own = [Multiaddr(ip: .v4(0xc0a8_0102), tcpPort: 4001), Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 4001)]
    private let other = [
        Multiaddr(ip: .v4(0xc0a8_0107), tcpPort: 4001), Multiaddr(ip: .v4(0xc0a8_0107), tcpPort: 4002),
    ]

    private mutating func heard(at addresses: [Multiaddr]? = nil, _ seconds: Double) -> TwinWatch.Telling {
        watch.heard(at: addresses ?? other, own: own, now: .seconds(seconds))
    }

    @Test mutating func theOwnerIsToldOnceAndTheLogNowAndThen() {
        #expect(heard(0) == .nothing)
        #expect(heard(1.9) == .nothing)
        #expect(watch.place(now: .seconds(1.9)) == nil, "it may have been an echo")
        #expect(heard(2) == .owner(place: "192.168.1.7"))
        #expect(watch.place(now: .seconds(2)) == "192.168.1.7")
        // However often somebody says it, from however many places.
        var tellings: [TwinWatch.Telling] = []
        for second in 3...1300 {
            let places = (0..<20).map { Multiaddr(ip: .v4(0x0a00_0000 + UInt32(second * 20 + $0)), tcpPort: 1) }
            let telling = heard(at: places, Double(second))
            if telling != .nothing { tellings.append(telling) }
            #expect((watch.place(now: .seconds(second)) ?? "").utf8.count < 60)
        }
        #expect(tellings.count == 2)
        for telling in tellings {
            guard case .log = telling else {
                Issue.record("told again: \(telling)")
                continue
            }
        }
    }

    @Test mutating func whoIsNotHeardAnyMoreIsForgotten() {
        _ = heard(0)
        _ = heard(10)
        #expect(watch.place(now: .seconds(190)) == "192.168.1.7")
        #expect(watch.place(now: .seconds(191)) == nil)
        #expect(heard(1000) == .nothing)
        #expect(watch.place(now: .seconds(1000)) == nil, "it is one hearing again")
        #expect(heard(1005) == .log(place: "192.168.1.7"))
    }

    @Test func whoListensToAPeerIsToldAndTheLogHasIt() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        ada.running.tell(.nothing)
        ada.running.tell(.log(place: "this computer"))
        let before = ada.eventCount
        ada.running.tell(.owner(place: "192.168.1.7"))
        #expect(ada.eventCount == before + 1, "only the first time")
        let lines = ada.running.journal.lines.map(\.text).filter { $0.contains("says that it is you") }
        #expect(lines.count == 2 && lines.last?.hasPrefix("192.168.1.7 says") == true)
        #expect(lines.first?.hasPrefix("Another program on this computer says") == true)
        #expect(await ada.running.backend.twin() == nil, "nothing was heard")
        try await ada.stop()
    }

    @Test mutating func aSecondProgramOnThisComputerIsCalledSo() {
        _ = heard(at: [own[1]], 0)
        #expect(heard(at: [own[1]], 5) == .owner(place: "this computer"))
        _ = heard(at: [Multiaddr(ip: .v4(0xc0a8_0102), tcpPort: 9)], 6)
        #expect(watch.place(now: .seconds(6)) == "this computer")
    }
}
