/// Which of our records a question asks for.
struct MDNSAnswers: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    /// PTR from the service name to our instance.
    static let pointer = MDNSAnswers(rawValue: 1 << 0)
    /// PTR from the list of service types to the service name.
    static let enumeration = MDNSAnswers(rawValue: 1 << 1)
    static let text = MDNSAnswers(rawValue: 1 << 2)
    static let server = MDNSAnswers(rawValue: 1 << 3)
    /// A and AAAA of our host name.
    static let host = MDNSAnswers(rawValue: 1 << 4)

    static let everything: MDNSAnswers = [.pointer, .text, .server, .host]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(to question: DNSQuestion, names: MDNSNames) {
        self = []
        guard question.recordClass == DNSClass.internet || question.recordClass == DNSClass.any else { return }
        func asks(_ type: UInt16) -> Bool { question.type == type || question.type == DNSType.any }
        switch question.name {
        case names.service:
            if asks(DNSType.ptr) { insert(.pointer) }
        case names.enumeration:
            if asks(DNSType.ptr) { insert(.enumeration) }
        case names.instance:
            if asks(DNSType.txt) { insert(.text) }
            if asks(DNSType.srv) { insert(.server) }
        case names.host:
            if asks(DNSType.a) || asks(DNSType.aaaa) { insert(.host) }
        default:
            break
        }
    }
}
