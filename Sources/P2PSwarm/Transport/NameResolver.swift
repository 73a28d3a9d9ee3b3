import Glibc
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Synchronization

/// Turns `/dns…` addresses into `/ip4` and `/ip6` ones by asking the system's resolver, off the event loops.
///
/// `/dns` asks for both families, `/dns4` and `/dns6` for one. `/dnsaddr` needs TXT records, which the system's resolver does
/// not give: such addresses yield nothing.
///
/// Names are strangers' and their zones may be slow, and a look-up that runs cannot be ended. So few run at one time, of one
/// peer's names one, and peers take turns; a look-up that nobody wants any more when its turn comes is skipped. At most
/// `maximumWaiting` wait: those no longer wanted make room, then the next is refused.
final class NameResolver: Sendable {
    /// What the system says of a name, of one family or, for AF_UNSPEC, of both. Blocks.
    typealias LookUp = @Sendable (_ name: String, _ family: CInt) -> [IPAddress]

    /// Addresses taken of one name.
    static let maximumAddresses = 16
    /// Look-ups that wait for their turn, of all peers together.
    static let maximumWaiting = 256
    /// Look-ups that run at one time.
    static let maximumRunning = 4

    /// Of the whole process. Its own threads: a slow name server must not hold up anything but names.
    static let shared: NameResolver = {
        let threads = NIOThreadPool(numberOfThreads: NameResolver.maximumRunning)
        threads.start()
        return NameResolver(threads: threads, lookUp: NameResolver.system)
    }()

    private let threads: NIOThreadPool
    private let maximumWaiting: Int
    private let lookUp: LookUp
    private let lines: Mutex<NameLookUpLines<Question>>

    /// Looks names up on `threads`, at most `maximumRunning` of them at one time.
    init(
        threads: NIOThreadPool, maximumRunning: Int = NameResolver.maximumRunning,
        maximumWaiting: Int = NameResolver.maximumWaiting, lookUp: @escaping LookUp
    ) {
        self.threads = threads
        self.maximumWaiting = maximumWaiting
        self.lookUp = lookUp
        self.lines = Mutex(NameLookUpLines(maximumRunning: maximumRunning, maximumWaiting: maximumWaiting))
    }

    private struct Question: NameLookUp {
        let name: String
        let family: CInt
        let wanted: @Sendable () -> Bool
        let answer: EventLoopPromise<[IPAddress]>

        var isWanted: Bool { self.wanted() }
    }

    /// The request's address with its leading name replaced by each of the name's addresses; itself if it begins with none.
    ///
    /// Fails with `DialFailureReason.abandoned` if the request was no longer wanted when its turn came, and with `.limit` if
    /// too many wait.
    func resolve(_ request: DialRequest) -> EventLoopFuture<[Multiaddr]> {
        let (address, loop) = (request.address, request.eventLoop)
        guard let first = address.first, let name = first.text else { return loop.makeSucceededFuture([address]) }
        let family: CInt
        switch first.protocol {
        case .dns: family = AF_UNSPEC
        case .dns4: family = AF_INET
        case .dns6: family = AF_INET6
        case .dnsaddr: return loop.makeSucceededFuture([])
        default: return loop.makeSucceededFuture([address])
        }
        guard let port = address.tcpPort else { return loop.makeSucceededFuture([]) }
        let question = Question(
            name: name, family: family, wanted: request.isWanted, answer: loop.makePromise(of: [IPAddress].self))
        let (isQueued, skipped) = self.lines.withLock { $0.add(question, of: request.peer) }
        self.skip(skipped)
        if isQueued {
            self.runNext()
        } else {
            question.answer.fail(DialFailureReason.limit(LimitExceeded(.nameLookUps, limit: self.maximumWaiting)))
        }
        return question.answer.futureResult.map { found in
            found.prefix(NameResolver.maximumAddresses).map { Multiaddr(ip: $0, tcpPort: port) }
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
                case .active: next.lookUp.answer.succeed(self.lookUp(next.lookUp.name, next.lookUp.family))
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
}
