import GoopCore
import Multiformats
import PeerIdentity
import Testing

@Suite struct GoopConfigurationTests {
    private func decode(_ text: String) throws(ConfigurationError) -> GoopConfiguration {
        try GoopConfiguration(decoding: Array(text.utf8))
    }

    private func problems(_ text: String) -> [ConfigurationProblem] {
        do {
            _ = try decode(text)
            return []
        } catch {
            return error.problems
        }
    }

    @Test func theDefaultsAreValidAndEmptyMeansDefaults() throws {
        #expect(GoopConfiguration().validate() == [])
        let empty = try decode("{}")
        #expect(empty.p2p == GoopConfiguration().p2p && empty.presence == GoopConfiguration().presence)
        #expect(empty.profile.label == "hello" && !empty.profile.shareEmail)
        #expect(GoopConfiguration.knownKeys.count == 80)
        #expect(Set(GoopConfiguration.knownKeys).count == 80)
    }

    @Test func theMinimalUpstreamFileIsRead() throws {
        let configuration = try decode(
            #"""
            {"profile":{"label":"Ada"},"viewer":{"http_addr":"127.0.0.1:8080"},
             "presence":{"rendezvous_wan":"https://rv.example.org"}}
            """#)
        #expect(configuration.profile.label == "Ada")
        #expect(configuration.viewer.httpAddress == "127.0.0.1:8080")
        #expect(configuration.presence.rendezvousWAN == "https://rv.example.org")
        #expect(configuration.presence.ttlSeconds == 20)
    }

    @Test func aByteOrderMarkNullAndOtherLetterCaseAreAccepted() throws {
        let text = "\u{FEFF}{\"Profile\":{\"LABEL\":\"Ada\",\"email\":null},\"p2p\":null}"
        let configuration = try decode(text)
        #expect(configuration.profile.label == "Ada")
        #expect(configuration.unknownKeys == [])
    }

    @Test func aSaveKeepsOrderSpellingAndUnknownKeys() throws {
        let text = """
            {
              "future": {
                "x": [
                  1.50
                ]
              },
              "viewer": {
                "theme": "light",
                "note": "mine"
              },
              "profile": {
                "Label": "Ada"
              }
            }

            """
        var configuration = try decode(text)
        #expect(String(decoding: configuration.encoded(), as: UTF8.self) == text)
        configuration.profile.label = "Bob"
        configuration.p2p.listenPort = 4001
        configuration.viewer.httpAddress = "127.0.0.1:8081"
        let saved = String(decoding: configuration.encoded(), as: UTF8.self)
        #expect(
            saved == """
                {
                  "future": {
                    "x": [
                      1.50
                    ]
                  },
                  "viewer": {
                    "theme": "light",
                    "note": "mine",
                    "http_addr": "127.0.0.1:8081"
                  },
                  "profile": {
                    "Label": "Bob"
                  },
                  "p2p": {
                    "listen_port": 4001
                  }
                }

                """)
        #expect(try decode(saved).p2p.listenPort == 4001)
    }

    @Test func unknownKeysAreReportedWithWhatWasMeant() throws {
        let configuration = try decode(
            #"{"profil":{},"p2p":{"mdns_tg":"x","listen_port":1},"viewer":{"label":"x","zzzzzzzz":1},"ttl_seconds":4}"#)
        #expect(
            configuration.unknownKeys.map { "\($0.key) -> \($0.suggestion ?? "?")" } == [
                "profil -> profile",
                "p2p.mdns_tg -> p2p.mdns_tag",
                "viewer.label -> profile.label",
                "viewer.zzzzzzzz -> ?",
                "ttl_seconds -> presence.ttl_seconds",
            ])
    }

    @Test(arguments: [
        (#"{"p2p":{"listen_port":65536}}"#, "p2p.listen_port"),
        (#"{"p2p":{"listen_port":-1}}"#, "p2p.listen_port"),
        (#"{"p2p":{"listen_port":"80"}}"#, "p2p.listen_port"),
        (#"{"p2p":{"listen_port":80.5}}"#, "p2p.listen_port"),
        (#"{"p2p":{"mdns_tag":" "}}"#, "p2p.mdns_tag"),
        (#"{"p2p":{"mdns_tag":"a.b"}}"#, "p2p.mdns_tag"),
        (#"{"p2p":{"bridge_mode":true}}"#, "p2p.bridge_mode"),
        (#"{"p2p":{"nacl_public_key":"abc"}}"#, "p2p.nacl_public_key"),
        (#"{"p2p":[]}"#, "p2p"),
        (#"{"identity":{"key_file":""}}"#, "identity.key_file"),
        (#"{"paths":{"site_root":" "}}"#, "paths.site_root"),
        (#"{"paths":{"site_source":"a/./b","site_stage":"a//b/"}}"#, "paths.site_stage"),
        (#"{"presence":{"topic":""}}"#, "presence.topic"),
        (#"{"presence":{"ttl_seconds":0}}"#, "presence.ttl_seconds"),
        (#"{"presence":{"heartbeat_seconds":20}}"#, "presence.heartbeat_seconds"),
        (#"{"presence":{"rendezvous_host":true,"rendezvous_port":0}}"#, "presence.rendezvous_port"),
        (#"{"presence":{"rendezvous_host":true,"rendezvous_bind":"localhost"}}"#, "presence.rendezvous_bind"),
        (#"{"presence":{"rendezvous_wan":"rv.example.org"}}"#, "presence.rendezvous_wan"),
        (#"{"presence":{"rendezvous_wan":"https://"}}"#, "presence.rendezvous_wan"),
        (#"{"presence":{"rendezvous_wan":"http://0.0.0.0:80"}}"#, "presence.rendezvous_wan"),
        (#"{"presence":{"rendezvous_wan":"http://[::]:80/"}}"#, "presence.rendezvous_wan"),
        (#"{"presence":{"rendezvous_wan":"http://a:0"}}"#, "presence.rendezvous_wan"),
        (#"{"presence":{"rendezvous_only":true}}"#, "presence.rendezvous_only"),
        (#"{"presence":{"relay_port":4001}}"#, "presence.relay_port"),
        (#"{"presence":{"rendezvous_host":true,"relay_port":1,"relay_ws_port":70000}}"#, "presence.relay_ws_port"),
        (
            #"{"presence":{"rendezvous_host":true,"relay_port":1,"relay_poll_deadline_sec":-1}}"#,
            "presence.relay_poll_deadline_sec"
        ),
        (#"{"lua":{"enabled":true,"timeout_seconds":61}}"#, "lua.timeout_seconds"),
        (#"{"lua":{"enabled":true,"script_dir":""}}"#, "lua.script_dir"),
        (#"{"viewer":{"debug":"yes"}}"#, "viewer.debug"),
        (#"{"data":{"visitor_row_kilobytes":0}}"#, "data.visitor_row_kilobytes"),
        (#"{"data":{"visitor_row_kilobytes":1025}}"#, "data.visitor_row_kilobytes"),
    ])
    func refusalsNameTheKey(text: String, key: String) throws {
        let found = problems(text)
        #expect(found.contains { $0.key == key }, "\(found)")
        for problem in found {
            #expect(!problem.cause.isEmpty)
            #expect(!problem.nextStep.isEmpty)
        }
    }

    @Test(arguments: [
        #"{"presence":{"rendezvous_wan":"http://127.0.0.1:8787/"}}"#,
        #"{"presence":{"rendezvous_wan":"https://[2001:db8::1]:443/x"}}"#,
        #"{"lua":{"enabled":false,"timeout_seconds":0}}"#,
        #"{"viewer":{"peer_offline_grace_min":0}}"#,
        #"{"p2p":{"bridge_mode":true},"presence":{"bridge_url":"http://x"}}"#,
    ])
    func accepted(text: String) {
        #expect(problems(text) == [])
    }

    @Test func allProblemsAreToldAtOnce() {
        #expect(problems(#"{"p2p":{"listen_port":-1,"mdns_tag":""},"presence":{"topic":""}}"#).count == 3)
    }

    @Test func brokenFilesNameThePlace() {
        #expect(problems("{\n  \"p2p\": {,\n}").first?.cause == "no valid JSON at line 2, column 11")
        #expect(problems("{\"a\":").first?.cause == "the file ends in the middle of a value")
        #expect(problems("[]").first?.cause == "the file holds a list instead of an object")
        #expect(problems("").count == 1)
    }

    @Test func secretsAreNotDescribed() throws {
        let key = Base64.encode([UInt8](repeating: 7, count: 32))
        let configuration = try decode(
            #"{"p2p":{"nacl_private_key":"\#(key)"},"presence":{"admin_password":"hunter2"}}"#)
        #expect(configuration.p2p.naclPrivateKey.revealed == key)
        #expect(!"\(configuration.p2p) \(configuration.presence)".contains(key))
        #expect(!"\(configuration.presence)".contains("hunter2"))
        #expect(Secret("a") == Secret("a") && Secret("a") != Secret("b") && Secret("a") != Secret("ab"))
    }

    @Test func theTopicFollowsTheTag() throws {
        #expect(GoopConfiguration().presenceTopic == "goop.presence.v1")
        #expect(try decode(#"{"p2p":{"mdns_tag":"lab-1"}}"#).presenceTopic == "goop.presence.v1/lab-1")
        #expect(
            try decode(#"{"p2p":{"mdns_tag":"lab-1"},"presence":{"topic":"t"}}"#).presenceTopic == "t/lab-1")
    }

    @Test func derivedSettings() throws {
        #expect(try decode(#"{"viewer":{"peer_offline_grace_min":61}}"#).offlineGrace == .seconds(900))
        #expect(try decode(#"{"viewer":{"peer_offline_grace_min":1}}"#).offlineGrace == .seconds(60))
        #expect(try decode(#"{"profile":{"email":"a@b.c"}}"#).sharedEmail == "")
        #expect(try decode(#"{"profile":{"email":"a@b.c","share_email":true}}"#).sharedEmail == "a@b.c")
        #expect(GoopConfiguration().hiddenSiteFolders == [["lua"]])
        #expect(
            try decode(#"{"lua":{"script_dir":"./site/secret/../x/y"}}"#).hiddenSiteFolders == [["lua"], ["x", "y"]])
        #expect(try decode(#"{"lua":{"script_dir":"/elsewhere"}}"#).hiddenSiteFolders == [["lua"]])
        // To Swift the slash and the accent behind it are one character.
        #expect(
            try decode("{\"lua\":{\"script_dir\":\"site/\u{301}x\"}}").hiddenSiteFolders == [["lua"], ["\u{301}x"]])
    }

    @Test func theStarterFileShowsWhatAnOwnerMayChange() throws {
        let text = String(decoding: GoopConfiguration.starter(label: "me").encoded(), as: UTF8.self)
        #expect(text.hasPrefix("{\n  \"profile\": {\n    \"label\": \"me\","))
        #expect(try decode(text).unknownKeys == [])
        #expect(try decode(text).profile.label == "me")
    }

    @Test func suggestions() {
        #expect(NameSuggestion.nearest(to: "pere", among: ["peer", "peers", "get"]) == "peer")
        #expect(NameSuggestion.nearest(to: "x", among: ["peer"]) == nil)
        #expect(NameSuggestion.nearest(to: String(repeating: "x", count: 100), among: ["peer"]) == nil)
        #expect(NameSuggestion.nearest(to: "", among: ["a"]) == "a")
    }
}

@Suite struct IdentityFileTests {
    @Test func aKeyIsReadAndWritten() throws {
        let key = PrivateKey.generate()
        let bytes = IdentityFile.contents(of: key)
        #expect(bytes.count == 68)
        #expect(bytes.starts(with: [0x08, 0x01, 0x12, 0x40]))
        #expect(try IdentityFile.key(in: bytes).peerID == key.peerID)
    }

    @Test func damageIsAnError() {
        let bytes = IdentityFile.contents(of: .generate())
        #expect(throws: IdentityFileError.empty) { try IdentityFile.key(in: []) }
        #expect(throws: IdentityFileError.tooLarge(limit: 16_384, size: 16_385)) {
            try IdentityFile.key(in: [UInt8](repeating: 0, count: 16_385))
        }
        for count in 1..<bytes.count {
            #expect(throws: IdentityFileError.self) { try IdentityFile.key(in: bytes.prefix(count)) }
        }
        var flipped = bytes
        flipped[67] ^= 1
        #expect(throws: IdentityFileError.self) { try IdentityFile.key(in: flipped) }
    }
}
