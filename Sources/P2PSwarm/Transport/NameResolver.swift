import CResolv
import Glibc
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Synchronization

/// Finds out where the names lead that addresses begin with (see `NamedAddress`), by asking the system's resolver, off the event
/// loops: `getaddrinfo` for IP addresses, `res_query` for the TXT records of `/dnsaddr`.
///
/// Names are strangers' and their zones may be slow, and a look-up that runs cannot be ended. So few run at one time, of one
/// peer's names one, and peers take turns; a look-up that nobody wants any more when its turn comes is skipped. At most
/// `maximumWaiting` wait: those no longer wanted make room, then the next is refused.
final class NameResolver: Sendable {
    /// What the system says of a name, of one family or, for AF_UNSPEC, of both. Blocks.
    typealias LookUp = @Sendable (_ name: String, _ family: CInt) -> [IPAddress]
    /// The name service's whole answer to a question for the TXT records of a name; nil if there is none. Blocks.
    typealias TextLookUp = @Sendable (_ name: String) -> [UInt8]?

    /// Look-ups that wait for their turn, of all peers together.
    static let maximumWaiting = 256
    /// Look-ups that run at one time.
    static let maximumRunning = 4

    /// Of the whole process. Its own threads: a slow name server must not hold up anything but names.
    static let shared: NameResolver = {
        let threads = NIOThreadPool(numberOfThreads: NameResolver.maximumRunning)
        threads.start()
        return NameResolver(threads: threads, texts: NameResolver.systemTexts, lookUp: NameResolver.system)
    }()

    private let threads: NIOThreadPool
    private let maximumWaiting: Int
    private let lookUp: LookUp
    private let texts: TextLookUp
    private let lines: Mutex<NameLookUpLines<Question>>

    /// Looks names up on `threads`, at most `maximumRunning` of them at one time.
    init(
        threads: NIOThreadPool, maximumRunning: Int = NameResolver.maximumRunning,
        maximumWaiting: Int = NameResolver.maximumWaiting, texts: @escaping TextLookUp = { _ in nil },
        lookUp: @escaping LookUp
    ) {
        self.threads = threads
        self.texts = texts
        self.maximumWaiting = maximumWaiting
        self.lookUp = lookUp
        self.lines = Mutex(NameLookUpLines(maximumRunning: maximumRunning, maximumWaiting: maximumWaiting))
    }

    private struct Question: NameLookUp {
        /// Blocks.
        let ask: @Sendable () -> [Multiaddr]
        let wanted: @Sendable () -> Bool
        let answer: EventLoopPromise<[Multiaddr]>

        var isWanted: Bool { self.wanted() }
    }

    /// Where the name leads that the request's address begins with, at most `NamedAddress.maximumAddresses`; the address itself if
    /// it begins with none. Of a list of addresses those that are the request's peer's.
    ///
    /// Fails with `DialFailureReason.abandoned` if the request was no longer wanted when its turn came, and with `.limit` if
    /// too many wait.
    func resolve(_ request: DialRequest) -> EventLoopFuture<[Multiaddr]> {
        let loop = request.eventLoop
        guard let name = NamedAddress(request.address) else { return loop.makeSucceededFuture([request.address]) }
        guard let ask = self.inquiry(about: name, of: request.peer) else { return loop.makeSucceededFuture([]) }
        let question = Question(ask: ask, wanted: request.isWanted, answer: loop.makePromise(of: [Multiaddr].self))
        let (isQueued, skipped) = self.lines.withLock { $0.add(question, of: request.peer) }
        self.skip(skipped)
        if isQueued {
            self.runNext()
        } else {
            question.answer.fail(DialFailureReason.limit(LimitExceeded(.nameLookUps, limit: self.maximumWaiting)))
        }
        return question.answer.futureResult
    }

    private func inquiry(about name: NamedAddress, of peer: PeerID?) -> (@Sendable () -> [Multiaddr])? {
        switch name.question {
        case nil: return nil
        case .addresses(let host, let families):
            let family =
                switch families {
                case .both: AF_UNSPEC
                case .v4: AF_INET
                case .v6: AF_INET6
                }
            return { [lookUp] in name.addresses(at: lookUp(host, family)) }
        case .texts(let host):
            // With its final dot and its escapes, as `res_query` reads names.
            return { [texts] in
                name.addresses(in: texts(host.description).map(NamedAddress.texts(in:)) ?? [], of: peer)
            }
        }
    }

    /// Runs what may run now.
    private func runNext() {
        while true {
            let (next, skipped) = self.lines.withLock { $0.takeNext() }
            self.skip(skipped)
            guard let next else { return }
            self.threads.submit { state in
                switch state {
                case .active: next.lookUp.answer.succeed(next.lookUp.ask())
                case .cancelled: next.lookUp.answer.fail(DialFailureReason.abandoned)
                }
                self.lines.withLock { $0.ended(of: next.peer) }
                self.runNext()
            }
        }
    }

    private func skip(_ questions: [Question]) {
        for question in questions { question.answer.fail(DialFailureReason.abandoned) }
    }

    @Sendable private static func system(_ name: String, _ family: CInt) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let outcome = getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            guard outcome == 0 else { continue }
            let plain = String(
                decoding: text.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: "%")) }.map(UInt8.init), as: UTF8.self)
            if let address = IPAddress(plain), !found.contains(address) { found.append(address) }
        }
        return found
    }

    /// Short answers come by UDP, long ones by TCP; those longer than we read count as none.
    @Sendable private static func systemTexts(_ name: String) -> [UInt8]? {
        var answer = [UInt8](repeating: 0, count: DNSMessage.maximumLength)
        let count = Int(res_query(name, CInt(DNSClass.internet), CInt(DNSType.txt), &answer, CInt(answer.count)))
        return (1...answer.count).contains(count) ? Array(answer.prefix(count)) : nil
    }
}
