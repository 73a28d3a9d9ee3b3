import GoopCore
import GoopHTTP
import Testing

@testable import GoopNode

/// What saved settings do to the viewer's outer door while the peer runs.
@Suite struct OuterDoorSettingsTests {
    private let temporary = TemporaryFolder()
    private let lock: OuterLock
    private let desk: NodeSettingsDesk

    init() throws {
        let cost = PasswordHash.Cost(logarithm: 12, blockSize: 8, passes: 1)
        let hash = try #require(
            PasswordHash(of: Secret("four words to keep"), salt: [UInt8](repeating: 7, count: 16), cost: cost))
        var configuration = GoopConfiguration()
        configuration.viewer.httpAddress = "0.0.0.0:8443"
        configuration.viewer.password = Secret(hash.description)
        configuration.viewer.tlsCertificate = "a.pem"
        configuration.viewer.tlsKey = "a.key"
        configuration.viewer.names = "me.example"
        let file = temporary.path + "/goop.json"
        try AtomicFile.write(configuration.encoded(), to: file)
        lock = OuterLock(hash)
        desk = NodeSettingsDesk(
            file: file, running: configuration, door: SiteDoor(configuration.siteAudience),
            visibility: Visibility(isHidden: false), own: OwnProfile(configuration.profile),
            preferences: LivePreferences(configuration.viewer), lock: lock)
    }

    private let cleared: [String: JSONValue] = [
        "viewer.password": "", "viewer.tls_certificate": "", "viewer.tls_key": "",
    ]

    @Test func clearingWhatItStandsOnShutsItAtOnce() async throws {
        #expect(try await desk.settings().outerDoor == .open)
        #expect(try await desk.apply(cleared, isOnlyCheck: true).outerDoor == .closing)
        #expect(!lock.isShut, "it was only a check")
        let sheet = try await desk.apply(cleared, isOnlyCheck: false)
        #expect(lock.isShut && sheet.outerDoor == .shut)
        // The next start takes port 8443 for this computer: all that is left to wait for.
        #expect(sheet.waitingForRestart == ["viewer.http_addr"])
        #expect(try await desk.apply(["viewer.http_addr": ""], isOnlyCheck: false).waitingForRestart == [])
        // What would open it again waits, and says so.
        let again = try await desk.apply(
            [
                "viewer.http_addr": "0.0.0.0:8443", "viewer.password": "four newer words",
                "viewer.tls_certificate": "a.pem", "viewer.tls_key": "a.key",
            ], isOnlyCheck: false)
        #expect(lock.isShut && again.outerDoor == .shut)
        #expect(
            Set(again.waitingForRestart)
                == ["viewer.http_addr", "viewer.password", "viewer.tls_certificate", "viewer.tls_key"])
    }

    @Test(arguments: [
        ["viewer.http_addr": "off"] as [String: JSONValue],
        // Other encryption instead: nobody is to come in by the certificate any more.
        ["viewer.tls_certificate": "", "viewer.tls_key": "", "viewer.trusted_proxies": "10.0.0.1"],
    ])
    func soDoes(_ changes: [String: JSONValue]) async throws {
        let sheet = try await desk.apply(changes, isOnlyCheck: false)
        #expect(lock.isShut && sheet.outerDoor == .shut && !sheet.waitingForRestart.isEmpty)
    }

    @Test(arguments: [
        ["viewer.tls_certificate": "b.pem", "viewer.tls_key": "b.key"] as [String: JSONValue],
        ["viewer.trusted_proxies": "10.0.0.1"], ["viewer.names": "other.example"], ["viewer.http_addr": "0.0.0.0:8444"],
    ])
    func whatIsReplacedWaitsForTheNextStart(_ changes: [String: JSONValue]) async throws {
        #expect(try await desk.apply(changes, isOnlyCheck: true).outerDoor == .open)
        let sheet = try await desk.apply(changes, isOnlyCheck: false)
        #expect(!lock.isShut && sheet.outerDoor == .open)
        #expect(Set(sheet.waitingForRestart) == Set(changes.keys))
    }

    @Test func thePasswordAloneCannotBeCleared() async throws {
        await #expect {
            try await desk.apply(["viewer.password": ""], isOnlyCheck: false)
        } throws: { "\($0)".contains("clear viewer.tls_certificate") }
        #expect(!lock.isShut)
    }
}
