import GoopCore
import HTTPTypes
import Multiformats
import Synchronization
import Testing

@testable import GoopHTTP

@Suite struct ProxyPolicyTests {
    private func fields(_ pairs: [(HTTPField.Name, String)]) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in pairs { fields.append(HTTPField(name: name, value: value)) }
        return fields
    }

    @Test func withoutProxiesNothingThatIsForwardedCounts() {
        let policy = ProxyPolicy(proxies: [])
        let forged = fields([(.forwardedFor, "10.0.0.1"), (.forwardedProto, "http")])
        #expect(policy.judge(peer: IPAddress("192.0.2.1"), fields: forged) == .admitted(client: IPAddress("192.0.2.1")))
    }

    @Test(arguments: [
        ("", "10.0.0.1"), ("192.0.2.1", "192.0.2.1"), ("192.0.2.9, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.2", "192.0.2.1"), ("192.0.2.1,10.0.0.2,10.0.0.3", "192.0.2.1"),
        ("192.0.2.1, unknown", "10.0.0.1"), ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"), ("10.0.0.5", "10.0.0.5"),
        ("2001:db8::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1"),
    ])
    func theLastAddressThatIsNoProxy(_ chain: String, _ client: String) {
        let policy = ProxyPolicy(proxies: [IPPrefix("10.0.0.0/8")].compactMap(\.self))
        let given = fields([(.forwardedProto, "https")] + (chain.isEmpty ? [] : [(.forwardedFor, chain)]))
        #expect(policy.judge(peer: IPAddress("10.0.0.1"), fields: given) == .admitted(client: IPAddress(client)))
        #expect(policy.judge(peer: IPAddress("::ffff:10.0.0.1"), fields: given) != .notAProxy)
        for stranger in ["11.0.0.1", "127.0.0.1", "::1"] {
            #expect(policy.judge(peer: IPAddress(stranger), fields: given) == .notAProxy)
        }
        #expect(policy.judge(peer: nil, fields: given) == .notAProxy)
    }

    @Test func ofALongWayOnlyTheEndIsLookedAt() {
        let policy = ProxyPolicy(proxies: [IPPrefix("10.0.0.0/8")].compactMap(\.self))
        func client(behind proxies: Int) -> ProxyPolicy.Verdict {
            let chain = ["192.0.2.1"] + (1...proxies).map { "10.0.1.\($0)" }
            return policy.judge(
                peer: IPAddress("10.0.0.1"),
                fields: fields([(.forwardedProto, "https"), (.forwardedFor, chain.joined(separator: ","))]))
        }
        #expect(client(behind: ProxyPolicy.maximumHops - 1) == .admitted(client: IPAddress("192.0.2.1")))
        #expect(client(behind: ProxyPolicy.maximumHops) == .admitted(client: IPAddress("10.0.1.1")))
    }
}

@Suite struct LoginThrottleTests {
    private let start = ContinuousClock.now
    private let one = IPAddress("192.0.2.1")

    private func address(_ number: Int) -> IPAddress { .v4(0x0a00_0000 + UInt32(number)) }

    @Test func fiveTriesThenOneAMinute() {
        var throttle = LoginThrottle(now: start)
        for _ in 0..<5 { #expect(throttle.attempt(from: one, now: start) == nil) }
        let wait = throttle.attempt(from: one, now: start)
        #expect(wait.map { $0 > .seconds(59) && $0 <= .seconds(60) } == true)
        #expect(throttle.attempt(from: one, now: start + .seconds(59)) != nil)
        #expect(throttle.attempt(from: one, now: start + .seconds(61)) == nil)
        #expect(throttle.attempt(from: one, now: start + .seconds(62)) != nil)
        // A clock that goes back gives nothing.
        #expect(throttle.attempt(from: one, now: start) != nil)
    }

    @Test func oneNetworkOfIPv6IsOneAddress() {
        var throttle = LoginThrottle(now: start)
        for number in 0..<5 {
            #expect(throttle.attempt(from: .v6(high: 0x2001_0db8 << 32, low: UInt64(number)), now: start) == nil)
        }
        #expect(throttle.attempt(from: .v6(high: 0x2001_0db8 << 32, low: 99), now: start) != nil)
        #expect(throttle.attempt(from: .v6(high: 0x2001_0db8 << 32 | 0xff, low: 99), now: start) != nil, "one /56")
        #expect(throttle.attempt(from: .v6(high: 0x2001_0db8 << 32 | 0x100, low: 99), now: start) == nil)
    }

    /// Neighbours count for themselves, and what one of them makes up leaves the others half.
    @Test(arguments: [0xfd00 << 48, 0xfe80 << 48] as [UInt64])
    func inALocalNetworkEachIPv6AddressCountsAndAllOfThemHaveHalf(_ high: UInt64) {
        var throttle = LoginThrottle(now: start)
        let neighbour = IPAddress.v6(high: high, low: 1)
        for _ in 0..<5 { #expect(throttle.attempt(from: neighbour, now: start) == nil) }
        #expect(throttle.attempt(from: neighbour, now: start) != nil)
        #expect(throttle.attempt(from: .v6(high: high, low: 2), now: start) == nil, "one tries, another may")
        throttle.succeeded(from: .v6(high: high, low: 2))
        var allowed = 6
        for number in 3..<5000 {
            let wait = throttle.attempt(from: .v6(high: high, low: UInt64(number)), now: start)
            if let wait { #expect(wait > .seconds(19) && wait <= .seconds(20)) } else { allowed += 1 }
        }
        #expect(allowed == 10)
        #expect(throttle.attempt(from: .v6(high: high, low: 2), now: start) == nil, "who was here is not kept out")
        for number in 0..<10 { #expect(throttle.attempt(from: address(number), now: start) == nil, "nor are others") }
        #expect(throttle.attempt(from: address(10), now: start) != nil)
        #expect(throttle.attempt(from: .v6(high: high, low: 9000), now: start + .seconds(21)) == nil)
        #expect(throttle.attempt(from: .v6(high: high, low: 9001), now: start + .seconds(21)) != nil)
    }

    @Test func manyAddressesTogetherAreLimitedAndKeepNobodyOutWhoWasHere() {
        var throttle = LoginThrottle(now: start)
        #expect(throttle.attempt(from: one, now: start) == nil)
        throttle.succeeded(from: one)
        var allowed = 0
        for number in 0..<5000 where throttle.attempt(from: address(number), now: start) == nil { allowed += 1 }
        #expect(allowed == 19)
        #expect(throttle.attempt(from: one, now: start) == nil)
        #expect(throttle.attempt(from: address(6000), now: start + .seconds(11)) == nil)
        #expect(throttle.attempt(from: address(6001), now: start + .seconds(11)) != nil)
    }

    @Test func whoTriedMostIsRememberedWhenThereIsNoRoom() {
        var limits = LoginThrottle.Limits()
        limits.addresses = 8
        limits.all = .init(burst: 1000, interval: .seconds(1))
        var throttle = LoginThrottle(limits: limits, now: start)
        for _ in 0..<5 { #expect(throttle.attempt(from: one, now: start) == nil) }
        for number in 0..<100 { #expect(throttle.attempt(from: address(number), now: start) == nil) }
        #expect(throttle.attempt(from: one, now: start) != nil)
    }
}

@Suite struct SessionTableTests {
    private final class Line: Sendable {
        let closed = Mutex(0)
        var connection: SessionTable.Connection {
            .init(id: ObjectIdentifier(self)) { self.closed.withLock { $0 += 1 } }
        }
        var count: Int { closed.withLock { $0 } }
    }

    private let start = ContinuousClock.now

    @Test func aSecretIsGoodUntilItsTimeIsOver() throws {
        let table = SessionTable()
        let line = Line()
        let secret = table.open(now: start)
        #expect(secret.utf8.count == 64 && secret != table.open(now: start))
        #expect(table.enter(secret.dropLast() + "g", on: line.connection, now: start) == nil)
        #expect(table.enter("", on: line.connection, now: start) == nil)
        _ = try #require(table.enter(secret, on: line.connection, now: start + .seconds(7199)))
        table.leave(ObjectIdentifier(line), now: start + .seconds(7199))
        _ = try #require(table.enter(secret, on: line.connection, now: start + .seconds(14_000)))
        table.leave(ObjectIdentifier(line), now: start + .seconds(14_000))
        #expect(table.enter(secret, on: line.connection, now: start + .seconds(21_300)) == nil)
    }

    @Test func aStreamKeepsItsSessionButNotForEver() throws {
        let ended = Mutex<[SessionID]>([])
        let table = SessionTable { id in ended.withLock { $0.append(id) } }
        let stream = Line()
        let id = try #require(table.enter(table.open(now: start), on: stream.connection, now: start))
        table.expire(now: start + .seconds(11 * 3600))
        #expect(stream.count == 0 && ended.withLock { $0 }.isEmpty)
        table.expire(now: start + .seconds(12 * 3600))
        #expect(stream.count == 1 && ended.withLock { $0 } == [id])
        #expect(!table.enter(id, on: stream.connection, now: start))
    }

    @Test func closingSparesWhoAsksAndWhoHasLeft() throws {
        let table = SessionTable()
        let (asking, streaming, done) = (Line(), Line(), Line())
        let secret = table.open(now: start)
        let id = try #require(table.enter(secret, on: asking.connection, now: start))
        for line in [streaming, done] { #expect(table.enter(id, on: line.connection, now: start)) }
        // A proxy's connection serves somebody else now.
        table.leave(ObjectIdentifier(done), now: start)
        table.close(id, except: ObjectIdentifier(asking))
        #expect([asking.count, streaming.count, done.count] == [0, 1, 0])
        #expect(table.enter(secret, on: asking.connection, now: start) == nil)
    }

    @Test func atTheBoundTheLeastUsedSessionEnds() throws {
        let table = SessionTable(limits: .init(sessions: 2))
        let line = Line()
        let secrets = [table.open(now: start), table.open(now: start + .seconds(1))]
        _ = try #require(table.enter(secrets[0], on: line.connection, now: start + .seconds(2)))
        table.leave(ObjectIdentifier(line), now: start + .seconds(2))
        let third = table.open(now: start + .seconds(3))
        let good = (secrets + [third]).map { secret in
            defer { table.leave(ObjectIdentifier(line), now: start + .seconds(4)) }
            return table.enter(secret, on: line.connection, now: start + .seconds(4)) != nil
        }
        #expect(good == [true, false, true])
    }
}
