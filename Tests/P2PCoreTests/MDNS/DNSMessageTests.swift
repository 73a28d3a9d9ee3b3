import GoopTestKit
import Multiformats
import Testing

@testable import P2PCore

/// Packets composed byte by byte from RFC 1035 and the `goop-mdns` layout.
enum MDNSVectors {
    static let peer = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"

    /// `goop-mdns.local`, PTR, IN.
    static let query: [UInt8] =
        hex("0000 0000 0001 0000 0000 0000") + name("goop-mdns", "local") + hex("000c 0001")

    /// PTR in the answers; TXT, SRV and A as additional records; the later names are pointers.
    static var answer: [UInt8] {
        var bytes = hex("0000 8400 0000 0001 0000 0003")
        let service = bytes.count
        bytes += name("goop-mdns", "local") + hex("000c 0001 00000c80")
        bytes += hex("0023") + [32] + Array(instance.utf8) + pointer(service)
        let instanceAt = bytes.count - 35
        let text = Array("dnsaddr=/ip4/192.168.7.2/tcp/4001/p2p/\(peer)".utf8)
        bytes += pointer(instanceAt) + hex("0010 8001 00000c80") + length(text.count + 1) + [UInt8(text.count)] + text
        // `local` begins ten bytes into the service name.
        bytes += pointer(instanceAt) + hex("0021 8001 00000078") + length(41) + hex("0000 0000 0fa1")
        let hostAt = bytes.count
        bytes += [32] + Array(instance.utf8) + pointer(service + 10)
        bytes += pointer(hostAt) + hex("0001 8001 00000078 0004 c0a80702")
        return bytes
    }

    /// A record of an unknown type whose data are pointers, each to the one before, and PTR records whose names and data point
    /// at the last of them.
    static func chain(of pointers: Int, names: Int) -> [UInt8] {
        var bytes = hex("0000 8400 0000") + length(names + 1) + hex("0000 0000")
        var previous = bytes.count
        bytes += name() + hex("ff01 0001 00000001") + length(2 * pointers)
        for _ in 0..<pointers {
            let at = bytes.count
            bytes += pointer(previous)
            previous = at
        }
        for _ in 0..<names { bytes += pointer(previous) + hex("000c 0001 00000001 0002") + pointer(previous) }
        return bytes
    }

    static let instance = "abcdefghijklmnopqrstuvwxyz012345"

    static func name(_ labels: String...) -> [UInt8] {
        labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }
    static func pointer(_ offset: Int) -> [UInt8] { [0xc0 | UInt8(offset >> 8), UInt8(offset & 0xff)] }
    static func length(_ count: Int) -> [UInt8] { [UInt8(count >> 8), UInt8(count & 0xff)] }
}

@Suite struct DNSMessageTests {
    @Test func readsAQuestionOfTheLayout() throws {
        let message = try DNSMessage(bytes: MDNSVectors.query)
        #expect(!message.isResponse)
        #expect(message.questions == [DNSQuestion(try DNSName(text: "goop-mdns.local"), type: DNSType.ptr)])
        #expect(message.answers.isEmpty && message.authorities.isEmpty && message.additionals.isEmpty)
        #expect(message.encoded(maximumLength: 512) == MDNSVectors.query)
    }

    @Test func readsAnAnswerOfTheLayout() throws {
        let message = try DNSMessage(bytes: MDNSVectors.answer)
        #expect(message.isResponse && message.isAuthoritative && !message.isTruncated)
        let service = try DNSName(text: "goop-mdns.local")
        let instance = try service.prepending(Array(MDNSVectors.instance.utf8))
        let host = try DNSName(text: "\(MDNSVectors.instance).local")
        #expect(message.answers == [DNSRecord(service, .ptr(instance), timeToLive: 3200)])
        #expect(message.additionals.count == 3)
        let text = Array("dnsaddr=/ip4/192.168.7.2/tcp/4001/p2p/\(MDNSVectors.peer)".utf8)
        #expect(
            message.additionals == [
                DNSRecord(instance, .txt([text[...]]), timeToLive: 3200, flushesCache: true),
                DNSRecord(
                    instance, .srv(priority: 0, weight: 0, port: 4001, target: host), timeToLive: 120,
                    flushesCache: true),
                DNSRecord(host, .a(0xc0a8_0702), timeToLive: 120, flushesCache: true),
            ])
        // Written again, with our own compression, it is the same bytes.
        #expect(message.encoded(maximumLength: 1400) == MDNSVectors.answer)
    }

    @Test func everyCutIsRefusedAsTruncated() throws {
        let whole = MDNSVectors.answer
        for count in 0..<whole.count {
            #expect(throws: DNSError.self, "cut at \(count)") { try DNSMessage(bytes: Array(whole.prefix(count))) }
        }
        #expect(throws: DNSError.truncated) { try DNSMessage(bytes: Array(whole.prefix(11))) }
        #expect(throws: DNSError.truncated) { try DNSMessage(bytes: Array(whole.prefix(20))) }
    }

    @Test(arguments: [
        // A pointer to itself, to what follows, and two that point at each other.
        ("0000 0000 0001 0000 0000 0000 c00c 000c 0001", DNSError.badPointer),
        ("0000 0000 0001 0000 0000 0000 c00e 0161 00 000c 0001", .badPointer),
        ("0000 0000 0002 0000 0000 0000 0161 c012 000c 0001 0162 c00c 000c 0001", .badPointer),
        // Label types 01 and 10.
        ("0000 0000 0001 0000 0000 0000 4161 00 000c 0001", .badLabel),
        ("0000 0000 0001 0000 0000 0000 8161 00 000c 0001", .badLabel),
        // An A record of three bytes, an AAAA of four, a PTR whose name is shorter than its data, a TXT string too long.
        ("0000 8400 0000 0001 0000 0000 00 0001 0001 00000001 0003 010203", .badRecordData(type: 1)),
        ("0000 8400 0000 0001 0000 0000 00 001c 0001 00000001 0004 01020304", .badRecordData(type: 28)),
        ("0000 8400 0000 0001 0000 0000 00 000c 0001 00000001 0003 00 0000", .badRecordData(type: 12)),
        ("0000 8400 0000 0001 0000 0000 00 0010 0001 00000001 0002 02 61 6100", .badRecordData(type: 16)),
        ("0000 8400 0000 0001 0000 0000 00 0021 0001 00000001 0006 000000000000", .badRecordData(type: 33)),
        // A name that runs out of its record into the next bytes.
        ("0000 8400 0000 0001 0000 0000 00 000c 0001 00000001 0002 0361 616100", .badRecordData(type: 12)),
        // Counts beyond the bounds.
        ("0000 0000 0041 0000 0000 0000", .tooManyRecords(limit: 64)),
        ("0000 8400 0000 0081 0000 0080", .tooManyRecords(limit: 256)),
        ("0000 8400 0000 ffff ffff ffff", .tooManyRecords(limit: 256)),
        // Data longer than the message.
        ("0000 8400 0000 0001 0000 0000 00 00ff 0001 00000001 ffff 00", .truncated),
    ])
    func refuses(_ text: String, _ expected: DNSError) {
        #expect(throws: expected) { try DNSMessage(bytes: hex(text)) }
    }

    @Test func refusesMessagesAndNamesThatAreTooLong() throws {
        #expect(throws: DNSError.tooLong(limit: 9000)) { try DNSMessage(bytes: [UInt8](repeating: 0, count: 9001)) }
        // Five labels of 63 bytes do not fit into a name.
        let label = [63] + [UInt8](repeating: 0x61, count: 63)
        let bytes = hex("0000 0000 0001 0000 0000 0000") + Array(repeating: label, count: 5).flatMap { $0 } + [0]
        #expect(throws: DNSError.badName) { try DNSMessage(bytes: bytes + hex("000c 0001")) }
        #expect(throws: DNSError.badName) { try DNSName(text: String(repeating: "a", count: 64)) }
        #expect(throws: DNSError.badName) { try DNSName(text: "a..b") }
        #expect(throws: DNSError.badName) { try DNSName(text: "") }
    }

    @Test func stringsOfARecordAreBounded() throws {
        func read(_ count: Int) throws -> [DNSRecord] {
            let strings = [ArraySlice<UInt8>](repeating: [0x61], count: count)
            let record = DNSRecord(try DNSName(text: "a.local"), .txt(strings), timeToLive: 1)
            return try DNSMessage(
                bytes: DNSMessage(isResponse: true, answers: [record]).encoded(maximumLength: 9000)
            ).answers
        }
        #expect(try read(128).count == 1)
        #expect(throws: DNSError.badRecordData(type: 16)) { try read(129) }
    }

    /// Names built of pointers to pointers: each step is allowed, the sum is bounded by the length of a name.
    @Test func aCompressionBombIsBounded() throws {
        var bytes = hex("0000 8400 0000 0100 0000 0000")
        var previous = bytes.count
        bytes += [63] + [UInt8](repeating: 0x61, count: 63) + [0] + hex("00ff 0001 00000001 0000")
        for index in 1..<256 {
            let at = bytes.count
            bytes += [1, 0x62] + MDNSVectors.pointer(previous) + hex("00ff 0001 00000001 0000")
            previous = index % 90 == 89 ? 12 : at
        }
        let message = try DNSMessage(bytes: bytes)
        #expect(message.answers.count == 256)
        #expect(message.answers.allSatisfy { $0.name.wire.count <= 255 })
        // One step further is refused.
        var tooDeep = hex("0000 8400 0000 0100 0000 0000") + [0] + hex("00ff 0001 00000001 0000")
        previous = 12
        for _ in 1..<256 {
            let at = tooDeep.count
            tooDeep += [1, 0x62] + MDNSVectors.pointer(previous) + hex("00ff 0001 00000001 0000")
            previous = at
        }
        #expect(throws: DNSError.badName) { try DNSMessage(bytes: tooDeep) }
    }

    /// Pointers to pointers add nothing to a name: without a bound of their own, one packet had the reader follow 1.4 million.
    @Test func aChainOfPointersIsBounded() throws {
        #expect(try DNSMessage(bytes: MDNSVectors.chain(of: 126, names: 255)).answers.count == 256, "127 with its own")
        #expect(throws: DNSError.badPointer) { try DNSMessage(bytes: MDNSVectors.chain(of: 127, names: 1)) }
        let longest = MDNSVectors.chain(of: 2703, names: 255)
        #expect(longest.count == 8999)
        #expect(throws: DNSError.badPointer) { try DNSMessage(bytes: longest) }
    }

    @Test func namesCompareWithoutCase() throws {
        let a = try DNSName(text: "Goop-MDNS.Local.")
        let b = try DNSName(text: "goop-mdns.local")
        #expect(a == b)
        #expect(a.hashValue == b.hashValue)
        #expect(a.description == "Goop-MDNS.Local.")
        let child = try a.prepending(Array("x.\u{1}".utf8))
        #expect(child.isChild(of: b))
        #expect(!b.isChild(of: b))
        #expect(!(try child.prepending([0x61])).isChild(of: b))
        #expect(child.description == "x\\046\\001.Goop-MDNS.Local.")
    }

    @Test func recordsThatDoNotFitAreLeftOut() throws {
        let name = try DNSName(text: "a.local")
        let records = (0..<50).map {
            DNSRecord(name, .txt([[UInt8](repeating: UInt8($0), count: 100)[...]]), timeToLive: 1)
        }
        let bytes = DNSMessage(isResponse: true, answers: records).encoded(maximumLength: 1400)
        #expect(bytes.count <= 1400)
        let read = try DNSMessage(bytes: bytes)
        #expect(read.answers.count == 12)
        #expect(read.answers == Array(records.prefix(12)))
    }

    @Test func randomMessagesSurviveWritingAndReading() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let message = try Self.message(&random)
            #expect(try DNSMessage(bytes: message.encoded(maximumLength: 9000)) == message)
        }
    }

    @Test func randomAndDamagedBytesNeverTrap() throws {
        var random = SeededGenerator(seed: 11)
        var read = 0
        for round in 0..<20_000 {
            var bytes: [UInt8]
            if round % 4 == 0 {
                bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in .random(in: 0...255, using: &random) }
            } else {
                bytes = round % 4 == 1 ? MDNSVectors.answer : try Self.message(&random).encoded(maximumLength: 9000)
                for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
                    let at = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: bytes[at] = .random(in: 0...255, using: &random)
                    case 1: bytes.removeSubrange(at...)
                    default: bytes[at] = 0xc0
                    }
                }
            }
            guard let message = try? DNSMessage(bytes: bytes) else { continue }
            read += 1
            // What was read can be written and read again.
            _ = try DNSMessage(bytes: message.encoded(maximumLength: 9000))
        }
        #expect(read > 500)
    }

    static func name(_ random: inout SeededGenerator) throws -> DNSName {
        let pool = ["a", "b", "local", "goop-mdns", "_udp", "_p2p"]
        let count = Int.random(in: 1...5, using: &random)
        return try DNSName(labels: (0..<count).map { _ in Array((pool.randomElement(using: &random) ?? "a").utf8) })
    }

    static func message(_ random: inout SeededGenerator) throws -> DNSMessage {
        var message = DNSMessage(
            isResponse: Bool.random(using: &random), identifier: .random(in: 0...9, using: &random))
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            message.questions.append(
                DNSQuestion(
                    try name(&random), type: .random(in: 0...40, using: &random),
                    wantsUnicast: .random(using: &random)))
        }
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let data: DNSRecordData =
                switch Int.random(in: 0..<6, using: &random) {
                case 0: .a(.random(in: 0 ... .max, using: &random))
                case 1: .aaaa(high: .random(in: 0 ... .max, using: &random), low: 1)
                case 2: .ptr(try name(&random))
                case 3: .srv(priority: 1, weight: 2, port: 3, target: try name(&random))
                case 4: .txt([Array("x=1".utf8)[...], [][...]])
                default: .other(type: 47, bytes: [1, 2, 3][...])
                }
            let record = DNSRecord(
                try name(&random), data, timeToLive: .random(in: 0...9999, using: &random),
                flushesCache: .random(using: &random))
            switch Int.random(in: 0..<3, using: &random) {
            case 0: message.answers.append(record)
            case 1: message.authorities.append(record)
            default: message.additionals.append(record)
            }
        }
        return message
    }
}
