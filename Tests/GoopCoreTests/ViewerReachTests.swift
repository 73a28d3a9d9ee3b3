import GoopCore
import Multiformats
import Testing

@Suite("A viewer beyond loopback: settings") struct ViewerReachTests {
    private static let password = "four words to keep"

    private func viewer(_ change: (inout GoopConfiguration.Viewer) -> Void) -> GoopConfiguration.Viewer {
        var viewer = GoopConfiguration().viewer
        change(&viewer)
        return viewer
    }

    private func problems(_ change: (inout GoopConfiguration.Viewer) -> Void) -> [String] {
        do throws(ConfigurationError) { _ = try ViewerReach(viewer(change)) } catch {
            #expect(error.problems.allSatisfy { !$0.cause.isEmpty && !$0.nextStep.isEmpty })
            #expect(!"\(error)".contains(Self.password))
            return error.problems.compactMap(\.key)
        }
        return []
    }

    @Test func withoutTheKeysNothingIsBeyondLoopback() throws {
        #expect(try ViewerReach(viewer { _ in }) == ViewerReach(viewer { $0.httpAddress = "  " }))
        for text in ["", "off", ":8080", "0.0.0.0:8080", "[::1]:1"] {
            #expect(try ViewerReach(viewer { $0.httpAddress = text }).outer == nil, "\(text)")
        }
        for text in ["192.168.1.5:8080", "[2001:db8::1]:80", "127.0.0.2:80", "example.org:80"] {
            #expect(problems { $0.httpAddress = text } == ["viewer.http_addr"], "\(text)")
        }
    }

    @Test func thePasswordAloneOpensNothing() {
        for text in ["192.168.1.5:8080", "0.0.0.0:8080", ":8080", "*:8080", "[::]:8080"] {
            let found = problems {
                $0.httpAddress = text
                $0.password = Secret(Self.password)
            }
            #expect(found == ["viewer.http_addr"], "\(text)")
        }
        #expect(problems { $0.password = Secret(Self.password) } == [])
    }

    @Test func encryptionAloneOpensNothing() {
        let found = problems {
            $0.httpAddress = "192.168.1.5:8443"
            $0.tlsCertificate = "cert.pem"
            $0.tlsKey = "key.pem"
        }
        #expect(found == ["viewer.password"])
        #expect(
            problems {
                $0.httpAddress = "127.0.0.1:8443"
                $0.trustedProxies = "127.0.0.1"
            } == ["viewer.password", "viewer.names"])
    }

    @Test func aCertificateAndAPasswordOpenOneAddress() throws {
        let reach = try ViewerReach(
            viewer {
                $0.httpAddress = "192.168.1.5:8443"
                $0.password = Secret(Self.password)
                $0.tlsCertificate = "cert.pem"
                $0.tlsKey = "key.pem"
                $0.names = "Me.Example.org:443, [2001:db8::1]"
            })
        #expect(reach.own == .automatic)
        let outer = try #require(reach.outer)
        #expect(outer.isEncrypted && outer.proxies.isEmpty)
        #expect(outer.address == OuterAddress(ip: IPAddress("192.168.1.5"), port: 8443))
        #expect(outer.authorities(listeningPort: 8443) == ["me.example.org", "[2001:db8::1]:8443", "192.168.1.5:8443"])
    }

    @Test func everyAddressNeedsANameAndOfAProxyThePortIsItsOwn() throws {
        #expect(
            problems {
                $0.httpAddress = "0.0.0.0:8443"
                $0.password = Secret(Self.password)
                $0.tlsCertificate = "cert.pem"
                $0.tlsKey = "key.pem"
            } == ["viewer.names"])
        let outer = try #require(
            try ViewerReach(
                viewer {
                    $0.httpAddress = ":8443"
                    $0.password = Secret(Self.password)
                    $0.trustedProxies = "127.0.0.1, ::1"
                    $0.names = "me.example.org, me.example.org:8080"
                }
            ).outer)
        #expect(outer.address.ip == nil && !outer.isEncrypted)
        #expect(outer.authorities(listeningPort: 8443) == ["me.example.org", "me.example.org:8080"])
    }

    @Test func offIsOffWhateverElseIsWritten() throws {
        let reach = try ViewerReach(
            viewer {
                $0.httpAddress = "off"
                $0.password = Secret(Self.password)
                $0.trustedProxies = "127.0.0.1"
            })
        #expect(reach.own == .off && reach.outer == nil)
    }

    @Test(arguments: [
        ("0.0.0.0/0", false), ("::/0", false), ("10.0.0.0/33", false), ("10.0.0.256", false), ("proxy.example", false),
        ("10.0.0.1/", false), ("10.0.0.1/ 8", false), ("10.0.0.0/8", true), ("2001:db8::/32,10.0.0.1", true),
    ])
    func proxies(_ text: String, _ isGood: Bool) {
        let found = problems {
            $0.httpAddress = "10.0.0.1:8443"
            $0.password = Secret(Self.password)
            $0.trustedProxies = text
            $0.names = "me.example.org"
        }
        #expect(found.contains("viewer.trusted_proxies") != isGood, "\(found)")
    }

    @Test(arguments: [
        "localhost", "x.localhost", "exa mple.org", "-a.example", "a..b", "1.2.3", "0.0.0.0", "me.example.org:0",
        "me.example.org:70000", "https://me.example.org", "me@example.org", "2001:db8::1", "[::1", "*.example.org",
    ])
    func noName(_ text: String) {
        #expect(ViewerName(text) == nil)
    }

    @Test func aHalfOfTheCertificateIsNone() {
        #expect(problems { $0.tlsCertificate = "cert.pem" }.contains("viewer.tls_key"))
        #expect(problems { $0.tlsKey = "key.pem" } == ["viewer.tls_certificate"])
    }

    @Test(arguments: ["short", "elevenbytes", String(repeating: "x", count: 257), "$scrypt$ln=1,r=8,p=1$c2FsdA$aGFzaA"])
    func noPassword(_ text: String) {
        #expect(problems { $0.password = Secret(text) } == ["viewer.password"])
    }

    @Test func howLongAPasswordIsIsTold() {
        for (text, words) in [("x", "has 1 byte, not 12 to 256"), ("short", "has 5 bytes, not 12 to 256")] {
            let error = #expect(throws: ConfigurationError.self) {
                try ViewerReach(viewer { $0.password = Secret(text) })
            }
            #expect(error?.problems.map(\.cause) == [words])
        }
    }

    @Test func whatADoorStandsOnCanBeTakenAway() throws {
        func door(_ certificate: String, _ proxies: String) throws -> OuterAccess? {
            try ViewerReach(
                viewer {
                    $0.httpAddress = certificate.isEmpty && proxies.isEmpty ? "" : "0.0.0.0:8443"
                    $0.password = Secret(Self.password)
                    $0.tlsCertificate = certificate
                    $0.tlsKey = certificate
                    $0.trustedProxies = proxies
                    $0.names = "me.example.org"
                }
            ).outer
        }
        let table: [(before: (String, String), after: (String, String), isTaken: Bool)] = [
            (("a.pem", ""), ("", ""), true), (("", "10.0.0.1"), ("", ""), true),
            (("a.pem", "10.0.0.1"), ("", "10.0.0.1"), true), (("a.pem", "10.0.0.1"), ("a.pem", ""), true),
            (("a.pem", ""), ("", "10.0.0.1"), true), (("", "10.0.0.1"), ("a.pem", ""), true),
            (("a.pem", ""), ("b.pem", ""), false), (("", "10.0.0.1"), ("", "10.0.0.2"), false),
            (("a.pem", ""), ("a.pem", "10.0.0.1"), false), (("a.pem", ""), ("a.pem", ""), false),
        ]
        for (before, after, isTaken) in table {
            let running = try #require(try door(before.0, before.1))
            #expect(running.isTakenAway(by: try door(after.0, after.1)) == isTaken, "\(before) \(after)")
        }
        var open = try #require(try door("a.pem", ""))
        let closed = open
        open.password = Secret("")
        #expect(closed.isTakenAway(by: open))
    }

    @Test func theFileAndThePageTellAllAtOnce() {
        #expect(throws: ConfigurationError.self) {
            try GoopConfiguration(decoding: Array(#"{"viewer":{"http_addr":"10.0.0.1:80"}}"#.utf8))
        }
        var configuration = GoopConfiguration()
        #expect(throws: ConfigurationError.self) {
            try configuration.apply(["viewer.password": .string("x"), "viewer.tls_key": .string("key.pem")])
        }
        configuration.viewer.password = Secret(Self.password)
        #expect(!"\(configuration.settings)".contains(Self.password))
    }
}

@Suite struct IPPrefixTests {
    @Test(arguments: [
        ("10.1.0.0/16", "10.1.255.255", true), ("10.1.0.0/16", "10.2.0.0", false), ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.2", false), ("10.1.2.0/23", "10.1.3.9", true), ("10.1.2.0/23", "10.1.4.0", false),
        ("127.0.0.1", "::ffff:127.0.0.1", true), ("::ffff:127.0.0.1", "127.0.0.1", true), ("::1", "127.0.0.1", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
    ])
    func contains(_ prefix: String, _ address: String, _ isInside: Bool) throws {
        #expect(try #require(IPPrefix(prefix)).contains(try #require(IPAddress(address))) == isInside)
    }
}

@Suite struct PasswordHashTests {
    private let cost = PasswordHash.Cost(logarithm: 12, blockSize: 8, passes: 1)
    private let salt = [UInt8](0..<16)

    @Test func onlyThePasswordMatches() throws {
        let hash = try #require(PasswordHash(of: Secret("four words to keep"), salt: salt, cost: cost))
        #expect(hash.matches(Secret("four words to keep")))
        for other in [
            "", "four words to kee", "four words to keep ", "Four words to keep", String(repeating: "x", count: 257),
        ] {
            #expect(!hash.matches(Secret(other)), "\(other)")
        }
        let again = try #require(PasswordHash(hash.description))
        #expect(again == hash && again.matches(Secret("four words to keep")))
        #expect(!"\(hash)".contains("words"))
    }

    /// RFC 7914, section 12, third vector, with the first 32 of its 64 bytes, which are the same for scrypt.
    @Test func agreesWithTheSpecification() throws {
        let hash = try #require(
            PasswordHash(
                "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI"))
        #expect(hash.matches(Secret("pleaseletmein")))
        #expect(!hash.matches(Secret("pleaseletmeout")))
    }

    @Test(arguments: [
        "", "$scrypt$", "$scrypt$ln=14,r=8,p=1$$",
        "$scrypt$ln=30,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI",
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdof",
        "$scrypt$ln=14,r=8,p=+1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI",
        "$argon2id$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI",
    ])
    func noHash(_ text: String) {
        #expect(PasswordHash(text) == nil)
    }

    @Test func nothingIsMadeOfNothing() {
        #expect(PasswordHash(of: Secret(""), salt: salt, cost: cost) == nil)
        #expect(PasswordHash(of: Secret("four words to keep"), salt: [1], cost: cost) == nil)
    }
}
