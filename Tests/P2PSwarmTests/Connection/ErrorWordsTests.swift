import GoopTestKit
import Multiformats
import P2PCore
import P2PSwarm
import PeerIdentity
import Testing

@Suite("Connections: reasons in words") struct ErrorWordsTests {
    static let reasons: [(CloseReason, String)] = [
        (.local(code: 0), "closed by us"), (.remote(code: 0), "closed by the peer"),
        (.local(code: 2), "closed by us, code 0x2: a failure"), (.remote(code: 1), "code 0x1: a rule of the muxer"),
        (.remote(code: 0x1001), "code 0x1001: a limit"), (.local(code: 0x1004), "code 0x1004: another connection"),
        (.remote(code: 0x1005), "code 0x1005: there were too many connections"), (.remote(code: 0xffff), "code 0xffff"),
        (.closedByPeer, "without a word"), (.yamux(.pingFlood), "broke the rules of the muxer: more pings"),
        (.yamux(.keepAliveTimedOut), "silent for too long: no answer"),
        (.yamux(.writeTimedOut), "silent for too long: it took no bytes"),
        (.noise(.authenticationFailed), "the encryption failed: the bytes were changed"),
        (.controlFlood, "control frames"), (.pipe("connection reset"), "the network ended it: connection reset"),
    ]

    @Test(arguments: ErrorWordsTests.reasons)
    func closeReason(reason: CloseReason, words: String) {
        #expect(isInWords(reason) && reason.description.contains(words), "\(reason)")
        for whole in [ConnectionError.closed(reason).description, StreamError.connectionClosed(reason).description] {
            #expect(whole == "the connection ended: \(reason)")
        }
    }

    @Test("an ordinary end has no number")
    func ordinaryEnd() {
        #expect(CloseReason.local(code: 0).description == "closed by us")
        #expect(CloseReason.remote(code: 0).description == "closed by the peer")
    }

    @Test func stream() {
        let told: [(StreamError, String)] = [
            (.reset(code: 0x1003, byPeer: true), "reset by the peer, code 0x1003"),
            (.reset(code: 0, byPeer: false), "reset by us"), (.connectionClosed(.closedByPeer), "without a word"),
            (.writeClosed, "our side"), (.readClosed, "closed"), (.busy, "another read or write"),
            (.timedOut, "in the time"), (.notAgreed(.refused(["/a", "/b"])), "proposed: /a, /b"),
            (.notAgreed(.failed(.malformedLength)), "negotiation failed"), (.notAgreed(.ended), "before a protocol"),
            (.notAgreed(.declined), "was refused"), (.notAgreed(.timedOut(after: .seconds(2))), "within 2"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test("a dial that failed names the peer, and what came back from each address")
    func dial() throws {
        let peer = PrivateKey.generate().peerID
        let attempt = DialAttempt(
            address: try Multiaddr(text: "/ip4/192.0.2.1/tcp/1"), error: .refused, elapsed: .milliseconds(5))
        let told: [(DialError.Kind, String)] = [
            (.noAddresses, "wait until the peer is discovered"), (.allFailed, "every address"),
            (.timedOut, "in the time"),
            (.limit(LimitExceeded(.dialledPeers, limit: 2)), "dialledPeers of 2"), (.selfDial, "our own id"),
            (.refused, "refused here"), (.stopped, "not running"),
        ]
        for (kind, words) in told {
            let error = DialError(kind, peer: peer, attempts: [attempt, attempt])
            #expect(isInWords(kind) && isInWords(error) && error.description.contains(words), "\(error)")
            #expect(error.description.hasSuffix("(peer \(peer)); \(attempt); \(attempt)"))
        }
    }
}
