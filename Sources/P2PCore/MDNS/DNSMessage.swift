package import Multiformats

/// The record types this implementation knows by name; any other number is carried as it came.
package enum DNSType {
    package static let a: UInt16 = 1
    package static let ptr: UInt16 = 12
    package static let txt: UInt16 = 16
    package static let aaaa: UInt16 = 28
    package static let srv: UInt16 = 33
    package static let any: UInt16 = 255
}

/// The class numbers of the DNS that Multicast DNS uses.
package enum DNSClass {
    package static let internet: UInt16 = 1
    package static let any: UInt16 = 255
}

/// A question. `wantsUnicast` is the top bit of the class field (RFC 6762 section 5.4).
package struct DNSQuestion: Hashable, Sendable {
    package var name: DNSName
    package var type: UInt16
    package var recordClass: UInt16
    package var wantsUnicast: Bool

    package init(
        _ name: DNSName, type: UInt16, recordClass: UInt16 = DNSClass.internet, wantsUnicast: Bool = false
    ) {
        self.name = name
        self.type = type
        self.recordClass = recordClass
        self.wantsUnicast = wantsUnicast
    }
}

/// A resource record. `flushesCache` is the top bit of the class field (RFC 6762 section 10.2).
package struct DNSRecord: Hashable, Sendable {
    package var name: DNSName
    package var recordClass: UInt16
    package var flushesCache: Bool
    /// Seconds the record may be kept; 0 takes it back ("goodbye").
    package var timeToLive: UInt32
    package var data: DNSRecordData

    package init(
        _ name: DNSName, _ data: DNSRecordData, timeToLive: UInt32, flushesCache: Bool = false,
        recordClass: UInt16 = DNSClass.internet
    ) {
        self.name = name
        self.recordClass = recordClass
        self.flushesCache = flushesCache
        self.timeToLive = timeToLive
        self.data = data
    }
}

/// What a record says, for the types of DNS service discovery.
package enum DNSRecordData: Hashable, Sendable {
    /// An IPv4 address, first byte of the text form in the top bits.
    case a(UInt32)
    /// An IPv6 address.
    case aaaa(high: UInt64, low: UInt64)
    case ptr(DNSName)
    /// Strings of at most 255 bytes each.
    case txt([ArraySlice<UInt8>])
    case srv(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
    /// A type not read here, with its bytes.
    case other(type: UInt16, bytes: ArraySlice<UInt8>)

    package var type: UInt16 {
        switch self {
        case .a: DNSType.a
        case .aaaa: DNSType.aaaa
        case .ptr: DNSType.ptr
        case .txt: DNSType.txt
        case .srv: DNSType.srv
        case .other(let type, _): type
        }
    }

    /// The address record for `address`.
    package init(_ address: IPAddress) {
        switch address {
        case .v4(let value): self = .a(value)
        case .v6(let high, let low): self = .aaaa(high: high, low: low)
        }
    }
}

/// A DNS message as Multicast DNS uses it.
///
/// Wire shape: a 12-byte header (identifier, flags, four counts; all 16-bit big-endian), then questions, answers,
/// authorities and additional records. Reading is bounded: 9,000 bytes (RFC 6762 section 17), 64 questions, 256
/// records and 128 strings a TXT record; a message beyond any bound, or malformed anywhere, is refused as a whole.
/// Source: RFC 1035 section 4; RFC 6762 section 18.
package struct DNSMessage: Hashable, Sendable {
    /// Longest message read, in bytes.
    package static let maximumLength = 9_000
    /// Most questions read from one message.
    package static let maximumQuestions = 64
    /// Most records read from one message, all sections together.
    package static let maximumRecords = 256
    /// Most strings read from one TXT record.
    package static let maximumStrings = 128

    package var identifier: UInt16
    package var isResponse: Bool
    package var operationCode: UInt8
    package var isAuthoritative: Bool
    package var isTruncated: Bool
    package var responseCode: UInt8
    package var questions: [DNSQuestion]
    package var answers: [DNSRecord]
    package var authorities: [DNSRecord]
    package var additionals: [DNSRecord]

    /// A query or a response; a response is authoritative, as all of Multicast DNS are.
    package init(
        isResponse: Bool, identifier: UInt16 = 0, questions: [DNSQuestion] = [], answers: [DNSRecord] = [],
        additionals: [DNSRecord] = []
    ) {
        self.identifier = identifier
        self.isResponse = isResponse
        self.operationCode = 0
        self.isAuthoritative = isResponse
        self.isTruncated = false
        self.responseCode = 0
        self.questions = questions
        self.answers = answers
        self.authorities = []
        self.additionals = additionals
    }
}
