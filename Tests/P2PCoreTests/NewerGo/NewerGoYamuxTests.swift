import GoopTestKit
import P2PCore
import Testing

/// What go-yamux 5 puts on the wire and the go programs of `interop/`, which have go-yamux 4, do not: error codes.
///
/// Bytes and codes are those of libp2p's yamux and error code specifications (pull requests 622 and 623), as go-libp2p 0.48
/// sends them. `docs/interop.md` lists these tests.
@Suite("Replayed: Yamux of newer go") struct NewerGoYamuxTests {
    /// Resets of stream 1, one for each code that go-libp2p has, and the code.
    static let resets: [(frame: String, code: UInt32)] = [
        ("000100080000000100000000", 0),  // none was given
        ("000100080000000100001001", 0x1001),  // no protocol was agreed
        ("000100080000000100001002", 0x1002),  // a resource limit
        ("000100080000000100001003", 0x1003),  // a rate limit
        ("000100080000000100001004", 0x1004),  // a violation of the protocol
        ("000100080000000100001005", 0x1005),  // supplanted
        ("000100080000000100001006", 0x1006),  // garbage collected
        ("000100080000000100001007", 0x1007),  // shutdown
        ("000100080000000100001008", 0x1008),  // gated
        ("000100080000000100001009", 0x1009),  // a code out of range
        // Of an application. As credit it would be more than any window.
        ("0001000800000001ffffffff", .max),
    ]

    /// Go-aways, one for each code of a connection that go-libp2p has, and the code.
    static let goAways: [(frame: String, code: UInt32)] = [
        ("000300000000000000001000", 0x1000),  // no protocol was agreed
        ("000300000000000000001001", 0x1001),  // a resource limit
        ("000300000000000000001002", 0x1002),  // a rate limit
        ("000300000000000000001003", 0x1003),  // a violation of the protocol
        ("000300000000000000001004", 0x1004),  // supplanted
        ("000300000000000000001005", 0x1005),  // garbage collected
        ("000300000000000000001006", 0x1006),  // shutdown
        ("000300000000000000001007", 0x1007),  // gated
        ("000300000000000000001008", 0x1008),  // a code out of range
    ]

    @Test("the code in a reset is told, and is no credit; other streams go on", arguments: resets)
    func resetsWithCodes(frame: String, code: UInt32) throws {
        var rig = YamuxRig(.initiator)
        rig.openAndAnnounce()
        rig.openAndAnnounce()
        #expect(try rig.replay(frame) == [.reset(1, code: code, byPeer: true)])
        #expect(rig.machine.sendCredit(of: 1) == 0)
        #expect(rig.machine.streamCount == 1)
        #expect(try rig.replay("000000000000000300000005") == [.payload(3, count: 5)])
        // What may still be on its way to the stream changes nothing, and a reset of one that never was neither.
        #expect(try rig.replay(frame) == [])
        #expect(try rig.replay("000100080000000900001005") == [])
    }

    @Test("on a data frame with RST the length is payload, which is read off the wire")
    func resetsWithPayload() throws {
        var rig = YamuxRig(.initiator)
        rig.openAndAnnounce()
        #expect(
            try rig.replay("000000080000000100001001")
                == [.reset(1, code: 0, byPeer: true), .payload(nil, count: 0x1001)])
    }

    @Test("a stream that is opened and reset in one frame never was")
    func openedAndReset() throws {
        var rig = YamuxRig(.responder)
        #expect(try rig.replay("000100090000000100001002") == [])
        #expect(rig.machine.streamCount == 0)
    }

    @Test("the code in a go-away is told once; no stream is opened any more, open ones go on", arguments: goAways)
    func goAwaysWithCodes(frame: String, code: UInt32) throws {
        var rig = YamuxRig(.initiator)
        rig.openAndAnnounce()
        #expect(try rig.replay(frame) == [.goAway(code: code)])
        #expect(rig.machine.receivedGoAway == code)
        #expect(rig.machine.openStream(now: rig.now) == .goingAway)
        #expect(try rig.replay("000000020000000100000003") == [.payload(1, count: 3)])
        #expect(try rig.replay("000300000000000000000000") == [])
        #expect(rig.machine.receivedGoAway == code)
    }

    /// Newer go reads the code in our resets, as we read it in its own.
    @Test(
        "our resets say why in the same place",
        arguments: [
            (YamuxCode.streamNegotiationFailed, "000100080000000100001001"),
            (YamuxCode.streamResourceLimit, "000100080000000100001002"),
            (YamuxCode.streamRateLimited, "000100080000000100001003"),
            (YamuxCode.streamViolation, "000100080000000100001004"),
            (YamuxCode.streamGarbageCollected, "000100080000000100001006"),
            (YamuxCode.streamShutdown, "000100080000000100001007"),
        ])
    func ourResets(code: UInt32, frame: String) throws {
        var rig = YamuxRig(.initiator)
        rig.openAndAnnounce()
        let events = try rig.run { machine, _, events in machine.reset(1, code: code, into: &events) }
        let sent = events.compactMap { event -> [UInt8]? in
            if case .send(let header) = event { header.encoded } else { nil }
        }
        #expect(sent == [hex(frame)])
    }
}

extension YamuxRig {
    /// Opens the next stream, 1, 3 and so on, and sends its first byte.
    fileprivate mutating func openAndAnnounce() {
        let id = self.open()
        _ = self.machine.claim(id, count: 1)
    }

    /// Feeds a header as it is on the wire; its payload, if any, arrives at once.
    fileprivate mutating func replay(_ frame: String) throws(YamuxError) -> [YamuxMachine.Event] {
        let header = try YamuxHeader(hex(frame))
        return try self.feed(header.kind, header.flags, header.streamID, header.length)
    }
}
