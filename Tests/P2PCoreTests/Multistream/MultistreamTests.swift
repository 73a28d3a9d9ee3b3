import GoopTestKit
import P2PCore
import Testing

private let headerHex = "132f6d756c746973747265616d2f312e302e300a"
private let noiseHex = "072f6e6f6973650a"
private let tlsHex = "0b2f746c732f312e302e300a"
private let naHex = "036e610a"

private func message(_ text: String) -> [UInt8] {
    let count = text.utf8.count + 1
    let prefix: [UInt8] = count < 128 ? [UInt8(count)] : [UInt8(count & 127) | 128, UInt8(count >> 7)]
    return prefix + Array(text.utf8) + [10]
}

@Suite("Multistream initiator")
struct MultistreamInitiatorTests {
    @Test("header and first proposal are one write")
    func opening() {
        var initiator = MultistreamInitiator(candidates: ["/noise", "/tls/1.0.0"])
        #expect(initiator.start().send == hex(headerHex + noiseHex))
        #expect(initiator.start().send.isEmpty)
    }

    @Test("agreement keeps the bytes behind it, at every split point")
    func everySplit() {
        let input = hex(headerHex + noiseHex) + [1, 2, 3]
        for split in 0...input.count {
            var initiator = MultistreamInitiator(candidates: ["/noise"])
            _ = initiator.start()
            let first = initiator.received(input[..<split])
            if case .agreed(_, let early) = first.outcome {
                #expect(early + input[split...] == [1, 2, 3])
                continue
            }
            let second = initiator.received(input[split...])
            #expect(second.outcome == .agreed("/noise", leftover: [1, 2, 3]))
        }
    }

    @Test("a refusal proposes the next candidate, and the last refusal fails")
    func refusals() {
        var initiator = MultistreamInitiator(candidates: ["/tls/1.0.0", "/noise"])
        _ = initiator.start()
        let first = initiator.received(hex(headerHex + naHex)[...])
        #expect(first == MultistreamStep(send: hex(noiseHex)))
        let second = initiator.received(hex(naHex)[...])
        #expect(second.outcome == .failed(.refused(proposed: ["/tls/1.0.0", "/noise"])))
        #expect(initiator.received(hex(noiseHex)[...]) == MultistreamStep())
    }

    @Test("no candidates")
    func noCandidates() {
        var initiator = MultistreamInitiator(candidates: [])
        #expect(initiator.start().outcome == .failed(.refused(proposed: [])))
    }

    private static let forbiddenAnswers: [(String, MultistreamError)] = [
        (noiseHex, .missingHeader),
        (headerHex + tlsHex, .unexpectedAnswer(name: "/tls/1.0.0")),
        (headerHex + "00", .malformedLength),
        (headerHex + "8000", .malformedLength),
        (headerHex + "818001", .messageTooLarge(limit: 1024)),
        (headerHex + "808080", .messageTooLarge(limit: 1024)),
        (headerHex + "ffffffffff0008", .messageTooLarge(limit: 1024)),
        (headerHex + "8108", .messageTooLarge(limit: 1024)),
        (headerHex + "072f6e6f69736565", .missingNewline),
    ]

    @Test("what a peer may not answer", arguments: forbiddenAnswers)
    func violations(text: String, error: MultistreamError) {
        var initiator = MultistreamInitiator(candidates: ["/noise"])
        _ = initiator.start()
        #expect(initiator.received(hex(text)[...]).outcome == .failed(error))
    }
}

@Suite("Multistream responder")
struct MultistreamResponderTests {
    @Test("everything in one segment: answers first, data kept")
    func glued() {
        var responder = MultistreamResponder(supported: ["/noise"])
        let step = responder.received(hex(headerHex + tlsHex + noiseHex + "0a0b0c")[...])
        #expect(step.send == hex(headerHex + naHex + noiseHex))
        #expect(step.outcome == .agreed("/noise", leftover: [10, 11, 12]))
    }

    @Test("byte by byte, with the header sent at the start")
    func bytewise() {
        var responder = MultistreamResponder(supported: ["/noise"])
        var sent = responder.start().send
        #expect(sent == hex(headerHex))
        var outcome: MultistreamOutcome?
        for byte in hex(headerHex + noiseHex) {
            let step = responder.received([byte])
            sent += step.send
            outcome = step.outcome ?? outcome
        }
        #expect(sent == hex(headerHex + noiseHex))
        #expect(outcome == .agreed("/noise", leftover: []))
    }

    @Test("the header goes out with the first byte")
    func headerAtFirstByte() {
        var responder = MultistreamResponder(supported: ["/noise"])
        #expect(responder.received([]) == MultistreamStep())
        #expect(responder.received([0x13]).send == hex(headerHex))
        #expect(responder.received([0x2f]) == MultistreamStep())
    }

    @Test("ls, the header again and names that are no UTF-8 are refused like any unknown name")
    func unknownNames() {
        var responder = MultistreamResponder(supported: ["/noise"])
        let step = responder.received(hex(headerHex + "036c730a" + headerHex + "02ff0a" + "010a" + noiseHex)[...])
        #expect(step.send == hex(headerHex + naHex + naHex + naHex + naHex + noiseHex))
        #expect(step.outcome == .agreed("/noise", leftover: []))
    }

    @Test("the longest message is taken, one byte more is not")
    func messageLimit() {
        let longest = ProtocolID(String(repeating: "x", count: 1023))
        var responder = MultistreamResponder(supported: [longest])
        let step = responder.received((message("/multistream/1.0.0") + message(longest.name))[...])
        #expect(step.outcome == .agreed(longest, leftover: []))

        var strict = MultistreamResponder(supported: [longest])
        let tooLong = message("/multistream/1.0.0") + message(longest.name + "x")
        #expect(strict.received(tooLong[...]).outcome == .failed(.messageTooLarge(limit: 1024)))
    }

    @Test("the proposals are counted")
    func proposalLimit() {
        var responder = MultistreamResponder(supported: ["/noise"])
        _ = responder.received(hex(headerHex)[...])
        for _ in 0..<100 {
            let step = responder.received(hex(tlsHex)[...])
            #expect(step == MultistreamStep(send: hex(naHex)))
        }
        #expect(responder.received(hex(tlsHex)[...]).outcome == .failed(.tooManyProposals(limit: 100)))
    }

    @Test("garbage behind a refused optimistic proposal is a failed negotiation, not a violation")
    func garbageAfterRefusal() {
        var responder = MultistreamResponder(supported: ["/noise"])
        let step = responder.received(hex(headerHex + tlsHex + "00ff00ff")[...])
        #expect(step.send == hex(headerHex + naHex))
        #expect(step.outcome == .failed(.noAgreement))
    }

    @Test("garbage at the start is a violation")
    func garbage() {
        var responder = MultistreamResponder(supported: ["/noise"])
        #expect(responder.received(Array("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n".utf8)[...]).outcome == nil)
        let more = Array(repeating: UInt8(ascii: "x"), count: 64)
        #expect(responder.received(more[...]).outcome == .failed(.missingNewline))
        var header = MultistreamResponder(supported: ["/noise"])
        #expect(header.received(hex(noiseHex)[...]).outcome == .failed(.missingHeader))
    }
}

@Suite("Multistream under random input")
struct MultistreamRandomTests {
    @Test("random bytes never trap", arguments: 0..<200 as Range<UInt64>)
    func garbage(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var initiator = MultistreamInitiator(candidates: ["/a", "/b"])
        var responder = MultistreamResponder(supported: ["/a"])
        _ = initiator.start()
        let valid = hex(headerHex)
        for round in 0..<20 {
            var chunk = round == 0 && seed.isMultiple(of: 2) ? valid : []
            chunk += (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = initiator.received(chunk[...])
            _ = responder.received(chunk[...])
        }
    }

    @Test("both sides always agree on the first common candidate", arguments: 0..<200 as Range<UInt64>)
    func agreement(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let names: [ProtocolID] = ["/a", "/b/1", "/c/2.0.0", "/d", "/e"]
        let candidates = names.shuffled(using: &generator).prefix(Int.random(in: 1...5, using: &generator))
        let supported = Set(names.shuffled(using: &generator).prefix(Int.random(in: 0...5, using: &generator)))
        var initiator = MultistreamInitiator(candidates: Array(candidates))
        var responder = MultistreamResponder(supported: supported)
        var toResponder = initiator.start().send
        var toInitiator = Bool.random(using: &generator) ? responder.start().send : []
        var ends: [MultistreamOutcome] = []
        while !(toResponder.isEmpty && toInitiator.isEmpty) {
            if Bool.random(using: &generator), !toResponder.isEmpty {
                let chunk = takeChunk(&toResponder, &generator)
                let step = responder.received(chunk)
                toInitiator += step.send
                if let outcome = step.outcome { ends.append(outcome) }
            } else if !toInitiator.isEmpty {
                let step = initiator.received(takeChunk(&toInitiator, &generator))
                toResponder += step.send
                if let outcome = step.outcome { ends.append(outcome) }
            }
        }
        if let common = candidates.first(where: supported.contains) {
            #expect(ends == [.agreed(common, leftover: []), .agreed(common, leftover: [])])
        } else {
            #expect(ends == [.failed(.refused(proposed: Array(candidates)))])
        }
    }
}
