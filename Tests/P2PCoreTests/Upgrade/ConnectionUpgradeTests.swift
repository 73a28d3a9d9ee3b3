import GoopTestKit
import PeerIdentity
import Testing

@testable import P2PCore

/// One end of a simulated connection: runs an upgrade and keeps what it did.
struct UpgradeEnd {
    var upgrade: ConnectionUpgrade
    var outgoing: [UInt8] = []
    /// How often the end had something to send after it had received something, or at the start.
    var flights = 0
    var result: ConnectionUpgrade.Result?
    var error: UpgradeError?
    var tlsLeftover: [UInt8]?
    var presumption: TLSPresumption?

    init(role: ConnectionRole, configuration: ConnectionUpgrade.Configuration) {
        let keys = role == .initiator ? LibP2PTranscript.initiatorKeys : LibP2PTranscript.responderKeys
        upgrade = ConnectionUpgrade(role: role, configuration: configuration, keys: keys)
    }

    mutating func start() { execute(upgrade.start()) }
    mutating func receive(_ bytes: ArraySlice<UInt8>) { execute(upgrade.received(bytes)) }

    mutating func execute(_ actions: [ConnectionUpgrade.Action]) {
        var sent = false
        for action in actions {
            switch action {
            case .send(let bytes):
                outgoing += bytes
                sent = sent || !bytes.isEmpty
            case .startTLS(let leftover): tlsLeftover = leftover
            case .presumeTLS(let presumption): self.presumption = presumption
            case .finished(let result): self.result = result
            case .failed(let error): self.error = error
            }
        }
        if sent { flights += 1 }
    }
}

@Suite("Connection upgrade")
struct ConnectionUpgradeTests {
    private func configuration(
        _ role: ConnectionRole, expecting peer: String? = nil, security: [ProtocolID] = ["/noise"],
        muxers: [ProtocolID] = ["/yamux/1.0.0"], assuming: ProtocolID? = nil
    ) throws -> ConnectionUpgrade.Configuration {
        ConnectionUpgrade.Configuration(
            identity: role == .initiator
                ? try LibP2PTranscript.initiatorIdentity() : try LibP2PTranscript.responderIdentity(),
            expectedPeer: try peer.map { try PeerID(text: $0) }, security: security, muxers: muxers,
            assumeSecurity: assuming)
    }

    /// Passes whole flights to and fro until nothing is under way.
    private func run(_ initiator: inout UpgradeEnd, _ responder: inout UpgradeEnd) {
        initiator.start()
        responder.start()
        while !(initiator.outgoing.isEmpty && responder.outgoing.isEmpty) {
            let toResponder = initiator.outgoing
            let toInitiator = responder.outgoing
            initiator.outgoing = []
            responder.outgoing = []
            responder.receive(toResponder[...])
            initiator.receive(toInitiator[...])
        }
    }

    @Test("noise with an early muxer: three flights of the initiator, two round trips")
    func plain() throws {
        var initiator = UpgradeEnd(
            role: .initiator, configuration: try configuration(.initiator, expecting: LibP2PTranscript.responderPeer))
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        run(&initiator, &responder)
        let first = try #require(initiator.result)
        let second = try #require(responder.result)
        #expect(first.peer.description == LibP2PTranscript.responderPeer)
        #expect(second.peer.description == LibP2PTranscript.initiatorPeer)
        #expect(first.muxer == "/yamux/1.0.0" && second.muxer == "/yamux/1.0.0")
        #expect(first.security == "/noise" && second.security == "/noise")
        #expect(initiator.flights == 3)
    }

    @Test("assumed noise: header, proposal and first frame are one flight, the proof is the second")
    func assumed() throws {
        var initiator = UpgradeEnd(
            role: .initiator, configuration: try configuration(.initiator, assuming: "/noise"))
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        initiator.start()
        #expect(initiator.outgoing.suffix(34) == LibP2PTranscript.frame1[...])
        // Flight 1: header, proposal, Noise 1. Flight 2: header, answer, Noise 2. Flight 3: Noise 3 and, in the same
        // write, the first application bytes. With the TCP handshake and the answer that makes three round trips.
        responder.receive(initiator.outgoing[...])
        initiator.receive(responder.outgoing[...])
        let result = try #require(initiator.result)
        #expect(initiator.flights == 2)
        #expect(responder.flights == 1)
        var third = Array(initiator.outgoing.suffix(LibP2PTranscript.frame3.count))
        #expect(third == LibP2PTranscript.frame3)
        let application = try #require(try result.noise?.sender.sealed(copying: [7, 7, 7]))
        third += [0, UInt8(application.count)] + application
        responder.receive(third[...])
        let end = try #require(responder.result)
        #expect(end.leftover == [0, UInt8(application.count)] + application)
        var session = try #require(end.noise)
        #expect(try session.receiver.opened(application[...]) == [7, 7, 7])
    }

    @Test("an assumption that does not hold is said so")
    func assumptionRefused() throws {
        var initiator = UpgradeEnd(
            role: .initiator, configuration: try configuration(.initiator, assuming: "/noise"))
        var responder = UpgradeEnd(
            role: .responder, configuration: try configuration(.responder, security: ["/tls/1.0.0"]))
        run(&initiator, &responder)
        #expect(initiator.error == .assumptionRefused("/noise"))
        #expect(responder.error == .securityNegotiation(.noAgreement))
    }

    @Test("no common early muxer falls back to multistream inside the channel")
    func muxerByMultistream() throws {
        var initiator = UpgradeEnd(
            role: .initiator, configuration: try configuration(.initiator, muxers: ["/a", "/yamux/1.0.0"]))
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        // A responder that lists no muxers early, as old peers do, but negotiates them.
        responder.upgrade = ConnectionUpgrade(
            role: .responder, configuration: try configuration(.responder), keys: LibP2PTranscript.responderKeys,
            offersEarlyMuxer: false)
        run(&initiator, &responder)
        let first = try #require(initiator.result)
        let second = try #require(responder.result)
        #expect(first.muxer == "/yamux/1.0.0" && second.muxer == "/yamux/1.0.0")
        var sender = try #require(first.noise).sender
        var receiver = try #require(second.noise).receiver
        #expect(try receiver.opened(sender.sealed([1, 2])[...]) == [1, 2])
    }

    @Test("no common muxer at all")
    func noMuxer() throws {
        var initiator = UpgradeEnd(role: .initiator, configuration: try configuration(.initiator, muxers: ["/a"]))
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder, muxers: ["/b"]))
        run(&initiator, &responder)
        #expect(initiator.error == .muxerNegotiation(.refused(proposed: ["/a"])))
        #expect(responder.result == nil && responder.error == nil)
    }

    @Test("no common security protocol")
    func noSecurity() throws {
        var initiator = UpgradeEnd(
            role: .initiator,
            configuration: try configuration(.initiator, security: ["/tls/1.0.0", "/plaintext/2.0.0"]))
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        run(&initiator, &responder)
        #expect(initiator.error == .securityNegotiation(.refused(proposed: ["/tls/1.0.0", "/plaintext/2.0.0"])))
    }

    @Test("the wrong peer and garbage end the upgrade with their reason")
    func failures() throws {
        var initiator = UpgradeEnd(
            role: .initiator, configuration: try configuration(.initiator, expecting: LibP2PTranscript.initiatorPeer))
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        run(&initiator, &responder)
        guard case .noise(.wrongPeer(_, let actual)) = initiator.error else {
            Issue.record("expected a wrong peer, got \(String(describing: initiator.error))")
            return
        }
        #expect(actual.description == LibP2PTranscript.responderPeer)
        #expect(initiator.upgrade.isOver)

        var other = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        other.start()
        other.receive(hex("132f6d756c746973747265616d2f312e302e300a 072f6e6f6973650a ffff")[...])
        #expect(other.error == .noise(.messageTooLarge(size: 65535, limit: 16384)))
        other.receive([1, 2, 3])
        #expect(other.result == nil)
    }

    @Test("TLS is handed on with the bytes behind the answer, and its result decides the muxer")
    func tls() throws {
        for (protocolName, early) in [("/yamux/1.0.0", true), ("libp2p", false)] {
            var initiator = UpgradeEnd(
                role: .initiator,
                configuration: try configuration(
                    .initiator, expecting: LibP2PTranscript.responderPeer, security: ["/tls/1.0.0", "/noise"]))
            var responder = UpgradeEnd(
                role: .responder, configuration: try configuration(.responder, security: ["/noise", "/tls/1.0.0"]))
            initiator.start()
            responder.start()
            let toResponder = initiator.outgoing + [0x16, 3, 1]
            responder.receive(toResponder[...])
            initiator.receive(responder.outgoing[...])
            #expect(responder.tlsLeftover == [0x16, 3, 1])
            #expect(initiator.tlsLeftover == [])
            initiator.outgoing = []
            responder.outgoing = []
            initiator.execute(
                initiator.upgrade.tlsEstablished(
                    peerKey: try LibP2PTranscript.responderIdentity().publicKey, applicationProtocol: protocolName))
            responder.execute(
                responder.upgrade.tlsEstablished(
                    peerKey: try LibP2PTranscript.initiatorIdentity().publicKey, applicationProtocol: protocolName))
            if early {
                #expect(initiator.outgoing.isEmpty && responder.outgoing.isEmpty)
            } else {
                responder.receive(initiator.outgoing[...])
                initiator.receive((responder.outgoing + [5, 6])[...])
                #expect(initiator.result?.plaintextLeftover == [5, 6])
            }
            #expect(initiator.result?.muxer == "/yamux/1.0.0" && responder.result?.muxer == "/yamux/1.0.0")
            #expect(initiator.result?.security == "/tls/1.0.0" && initiator.result?.noise == nil)
            #expect(responder.result?.peer.description == LibP2PTranscript.initiatorPeer)
        }
    }

    @Test("assumed TLS: the answer is taken off in any pieces, what is behind it is TLS's", arguments: 1...60)
    func assumedTLS(chunk: Int) throws {
        var initiator = UpgradeEnd(
            role: .initiator,
            configuration: try configuration(.initiator, security: ["/noise", "/tls/1.0.0"], assuming: "/tls/1.0.0"))
        var responder = UpgradeEnd(
            role: .responder, configuration: try configuration(.responder, security: ["/tls/1.0.0"]))
        initiator.start()
        responder.start()
        #expect(initiator.outgoing.isEmpty)
        var presumption = try #require(initiator.presumption)
        // One flight: header, proposal, and the first record, which the responder hands to its own TLS layer.
        responder.receive((presumption.proposal + [0x16, 3, 1])[...])
        #expect(responder.tlsLeftover == [0x16, 3, 1])
        var answer = responder.outgoing + [0x16, 3, 3]
        var forTLS: [UInt8]?
        while forTLS == nil, !answer.isEmpty {
            forTLS = try presumption.received(answer.prefix(chunk))
            answer.removeFirst(min(chunk, answer.count))
        }
        #expect(try #require(forTLS) + answer == [0x16, 3, 3])
        initiator.execute(
            initiator.upgrade.tlsEstablished(
                peerKey: try LibP2PTranscript.responderIdentity().publicKey, applicationProtocol: "/yamux/1.0.0"))
        #expect(initiator.result?.security == "/tls/1.0.0" && initiator.result?.muxer == "/yamux/1.0.0")
    }

    @Test("assumed TLS that the peer refuses, or answers with something else, is said so")
    func assumedTLSRefused() throws {
        var presumption = TLSPresumption()
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        responder.start()
        responder.receive((presumption.proposal + [0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5])[...])
        #expect(responder.outgoing.suffix(4) == [3, 0x6e, 0x61, 0x0a])
        #expect(throws: UpgradeError.assumptionRefused("/tls/1.0.0")) {
            try presumption.received(responder.outgoing[...])
        }
        var other = TLSPresumption()
        #expect(throws: UpgradeError.securityNegotiation(.missingHeader)) {
            try other.received(hex("05485454500a")[...])
        }
        var initiator = UpgradeEnd(
            role: .initiator, configuration: try configuration(.initiator, assuming: "/tls/1.0.0"))
        initiator.start()
        #expect(initiator.presumption == nil, "TLS is not among what we offer")
    }

    @Test("TLS with the wrong peer or an unknown application protocol fails")
    func tlsFailures() throws {
        for (seed, name, expected) in [
            (UInt8(0), "/yamux/1.0.0", nil), (32, "h2", UpgradeError.unexpectedApplicationProtocol("h2")),
            (32, nil, .unexpectedApplicationProtocol(nil)),
        ] as [(UInt8, String?, UpgradeError?)] {
            var responder = UpgradeEnd(
                role: .responder,
                configuration: try configuration(
                    .responder, expecting: LibP2PTranscript.responderPeer, security: ["/tls/1.0.0"]))
            responder.start()
            responder.receive(hex("132f6d756c746973747265616d2f312e302e300a0b2f746c732f312e302e300a")[...])
            let key = try PrivateKey(ed25519Seed: Array(seed..<seed + 32)).publicKey
            responder.execute(responder.upgrade.tlsEstablished(peerKey: key, applicationProtocol: name))
            if let expected {
                #expect(responder.error == expected)
            } else if case .tls(.wrongPeer) = responder.error {
            } else {
                Issue.record("expected a wrong peer, got \(String(describing: responder.error))")
            }
        }
    }

    @Test("any chunking leads to the same channel", arguments: 0..<300 as Range<UInt64>)
    func randomChunks(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let early = Bool.random(using: &generator)
        let assuming: ProtocolID? = Bool.random(using: &generator) ? "/noise" : nil
        var initiator = UpgradeEnd(
            role: .initiator,
            configuration: try configuration(
                .initiator, muxers: early ? ["/yamux/1.0.0"] : ["/x", "/yamux/1.0.0"], assuming: assuming))
        var responder = UpgradeEnd(role: .responder, configuration: try configuration(.responder))
        if !early {
            responder.upgrade = ConnectionUpgrade(
                role: .responder, configuration: try configuration(.responder), keys: LibP2PTranscript.responderKeys,
                offersEarlyMuxer: false)
        }
        initiator.start()
        responder.start()
        var applicationSent = false
        while !(initiator.outgoing.isEmpty && responder.outgoing.isEmpty) {
            let forward = responder.outgoing.isEmpty || (Bool.random(using: &generator) && !initiator.outgoing.isEmpty)
            if forward {
                let chunk = takeChunk(&initiator.outgoing, &generator)
                guard responder.result == nil else { break }
                responder.receive(chunk)
            } else {
                initiator.receive(takeChunk(&responder.outgoing, &generator))
            }
            if let session = initiator.result?.noise, !applicationSent {
                applicationSent = true
                let frame = try session.sender.sealed(copying: [UInt8](repeating: 9, count: 50))
                initiator.outgoing += [0, UInt8(frame.count)] + frame
            }
        }
        #expect(initiator.error == nil && responder.error == nil)
        #expect(initiator.result?.muxer == "/yamux/1.0.0" && responder.result?.muxer == "/yamux/1.0.0")
        #expect(initiator.result?.noise?.handshakeHash == responder.result?.noise?.handshakeHash)
        let leftover = try #require(responder.result).leftover
        let frame =
            [0, 66] + (try #require(initiator.result?.noise).sender.sealed(copying: [UInt8](repeating: 9, count: 50)))
        #expect(frame.starts(with: leftover))
    }

    @Test("random bytes at every stage never trap", arguments: 0..<200 as Range<UInt64>)
    func garbage(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let role: ConnectionRole = Bool.random(using: &generator) ? .initiator : .responder
        var end = UpgradeEnd(role: role, configuration: try configuration(role, security: ["/noise", "/tls/1.0.0"]))
        end.start()
        let prefixes = [
            "", "132f6d756c746973747265616d2f312e302e300a", "132f6d756c746973747265616d2f312e302e300a072f6e6f6973650a",
        ]
        if let prefix = prefixes.randomElement(using: &generator) { end.receive(hex(prefix)[...]) }
        for _ in 0..<30 {
            let chunk = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator) & (Bool.random(using: &generator) ? 0xff : 0x03)
            }
            end.receive(chunk[...])
            if UInt8.random(in: 0...9, using: &generator) == 0 {
                end.execute(
                    end.upgrade.tlsEstablished(
                        peerKey: try LibP2PTranscript.responderIdentity().publicKey, applicationProtocol: "libp2p"))
            }
        }
        #expect(end.result == nil || end.result?.noise == nil)
    }
}

extension NoiseCipher {
    func sealed(copying plaintext: [UInt8]) throws -> [UInt8] {
        var copy = self
        return try copy.sealed(plaintext)
    }
}
