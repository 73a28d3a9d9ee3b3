import GoopCore
import Testing

@Suite struct PresenceMessageTests {
    private func decode(_ text: String) throws(PresenceError) -> PresenceMessage {
        try PresenceMessage(decoding: Array(text.utf8))
    }

    @Test func keysAreWrittenInUpstreamsOrderAndEmptyOnesLeftOut() {
        let full = PresenceMessage(
            kind: .update, peerID: "P", content: "Ada", email: "a@b.c", avatarHash: "9f86d081884c7d65",
            videoDisabled: true, activeTemplate: "blog", target: "T", addresses: ["/ip4/192.168.1.20/tcp/40213"],
            verificationToken: "v", publicKey: "k", encryptionSupported: true, clientVersion: "2.4.0",
            timestamp: 1_775_760_000_000, verified: true)
        #expect(
            String(decoding: full.encoded(), as: UTF8.self)
                == #"{"type":"update","peerId":"P","content":"Ada","email":"a@b.c","avatarHash":"9f86d081884c7d65","#
                + #""videoDisabled":true,"activeTemplate":"blog","target":"T","addrs":["/ip4/192.168.1.20/tcp/40213"],"#
                + #""verificationToken":"v","publicKey":"k","encryptionSupported":true,"goopClientVersion":"2.4.0","#
                + #""ts":1775760000000,"verified":true}"#)
        let bare = PresenceMessage(kind: .offline, peerID: "P", timestamp: 0)
        #expect(String(decoding: bare.encoded(), as: UTF8.self) == #"{"type":"offline","peerId":"P","ts":0}"#)
    }

    @Test func textIsEscapedAsGoDoes() {
        let message = PresenceMessage(
            kind: .online, peerID: "P", content: "<b>&\u{2028}\u{1}\"\\\n\té</b>", timestamp: 1)
        #expect(
            String(decoding: message.encoded(), as: UTF8.self)
                == "{\"type\":\"online\",\"peerId\":\"P\",\"content\":\"\\u003cb\\u003e\\u0026\\u2028\\u0001\\\"\\\\\\n\\té"
                + "\\u003c/b\\u003e\",\"ts\":1}")
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let message = PresenceMessage(
            kind: .other("later"), peerID: "P", content: "A <&> \u{1F600}", addresses: ["/ip4/1.2.3.4/tcp/5", "x"],
            publicKey: "k", timestamp: -5)
        #expect(try PresenceMessage(decoding: message.encoded()) == message)
    }

    @Test func anUpstreamHeartbeatIsRead() throws {
        let message = try decode(
            #"""
            {"type":"update","peerId":"12D3KooWA","content":"Ada","email":"ada@example.org","avatarHash":"9f86d081884c7d65",
             "addrs":["/ip4/192.168.1.20/tcp/40213","/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWR/p2p-circuit"],
             "encryptionSupported":true,"goopClientVersion":"2.4.0","ts":1775760000000}
            """#)
        #expect(message.kind == .update)
        #expect(message.content == "Ada")
        #expect(message.addresses.count == 2)
        #expect(message.encryptionSupported)
        #expect(message.timestamp == 1_775_760_000_000)
        #expect(!message.videoDisabled)
    }

    @Test func decodingIsAsLenientAsGo() throws {
        let message = try decode(
            #"{"TYPE":"online","PeerID":"P","unknown":[{"x":1}],"content":null,"addrs":null,"Ts":7}"#)
        #expect(message.kind == .online)
        #expect(message.peerID == "P")
        #expect(message.content == "")
        #expect(message.timestamp == 7)
        #expect(try decode(#"{"type":"update","type":"offline","peerId":"P"}"#).kind == .offline)
        #expect(try decode(#"{"type":"online","peerId":"P","addrs":[null,"a"]}"#).addresses == ["a"])
        #expect(try decode(#"{"type":"online","peerId":"\ud800x"}"#).peerID == "\u{FFFD}x")
    }

    @Test(arguments: [
        ("", PresenceError.malformed(.truncated)),
        ("[]", .notAnObject),
        ("{", .malformed(.truncated)),
        ("{} x", .malformed(.trailing(offset: 3))),
        ("{\"type\":\"online\"}", .missing(key: "peerId")),
        ("{\"peerId\":\"P\"}", .missing(key: "type")),
        ("{\"type\":1,\"peerId\":\"P\"}", .wrongKind(key: "type")),
        ("{\"type\":\"online\",\"peerId\":\"P\",\"ts\":1.5}", .wrongKind(key: "ts")),
        ("{\"type\":\"online\",\"peerId\":\"P\",\"ts\":\"1\"}", .wrongKind(key: "ts")),
        ("{\"type\":\"online\",\"peerId\":\"P\",\"ts\":9223372036854775808}", .wrongKind(key: "ts")),
        ("{\"type\":\"online\",\"peerId\":\"P\",\"videoDisabled\":1}", .wrongKind(key: "videoDisabled")),
        ("{\"type\":\"online\",\"peerId\":\"P\",\"addrs\":\"x\"}", .wrongKind(key: "addrs")),
        ("{\"type\":\"online\",\"peerId\":\"P\",\"addrs\":[1]}", .wrongKind(key: "addrs")),
    ])
    func refusals(text: String, error: PresenceError) {
        #expect(throws: error) { try decode(text) }
    }

    @Test(arguments: [("peerId", 256), ("content", 4096), ("email", 320), ("avatarHash", 256), ("publicKey", 256)])
    func fieldLimits(key: String, limit: Int) throws {
        func text(_ size: Int) -> String {
            let id = key == "peerId" ? "" : #","peerId":"P""#
            return #"{"type":"online""# + id + #",""# + key + #"":""# + String(repeating: "x", count: size) + #""}"#
        }
        _ = try decode(text(limit))
        #expect(throws: PresenceError.fieldTooLong(key: key, limit: limit, size: limit + 1)) {
            try decode(text(limit + 1))
        }
    }

    @Test func addressLimits() throws {
        let long = String(repeating: "x", count: 257)
        let many = (["\"\(long)\""] + (0..<30).map { "\"a\($0)\"" }).joined(separator: ",")
        let message = try decode("{\"type\":\"online\",\"peerId\":\"P\",\"addrs\":[\(many)]}")
        #expect(message.addresses == (0..<20).map { "a\($0)" })
    }

    @Test func sizeDepthAndCountAreBounded() {
        let padding = String(repeating: " ", count: PresenceMessage.Limit.messageBytes)
        #expect(throws: PresenceError.malformed(.tooLarge(limit: 65_536, size: 65_538))) { try decode("{}" + padding) }
        let deep = String(repeating: "[", count: 40_000)
        #expect(throws: PresenceError.malformed(.tooDeep(limit: 8))) { try decode(deep) }
        let many = "[" + String(repeating: "0,", count: 2_000) + "0]"
        #expect(throws: PresenceError.malformed(.tooManyValues(limit: 1024))) { try decode(many) }
    }
}
