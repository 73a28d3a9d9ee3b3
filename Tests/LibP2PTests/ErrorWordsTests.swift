import GoopTestKit
import P2PSwarm
import Testing

@testable import LibP2P

@Suite("Node: errors and events in words") struct ErrorWordsTests {
    private let peer = PrivateKey.generate().peerID

    @Test("what a stream or connection threw is told once, in words")
    func translated() throws {
        let errors: [any Error] = [
            StreamError.reset(code: 0x1003, byPeer: true), StreamError.connectionClosed(.yamux(.pingFlood)),
            StreamError.writeClosed, StreamError.readClosed, StreamError.busy, StreamError.timedOut,
            StreamError.notAgreed(.refused(["/a"])), StreamError.notAgreed(.timedOut(after: .seconds(1))),
            ConnectionError.closed(.remote(code: 0x1005)), ConnectionError.tooManyOpening(limit: 3),
            ConnectionError.streamsExhausted,
        ]
        for error in errors {
            let told = try #require(P2PError.translating(error, peer: self.peer) as? P2PError)
            #expect("\(told)" == "\(told.code): \(error) (peer \(self.peer))")
        }
        let failed = P2PError.translating(
            ConnectionError.upgrade(.muxerNegotiation(.noAgreement)), peer: self.peer)
        #expect("\(failed)".hasSuffix("; cause: no agreement on a muxer: \(MultistreamError.noAgreement)"), "\(failed)")
    }

    @Test("a dial that failed is told once, with the addresses if there are any")
    func dial() {
        let told = P2PError(dial: DialError(.noAddresses, peer: self.peer), timeout: nil)
        #expect("\(told)" == "noAddresses: \(DialError.Kind.noAddresses) (peer \(self.peer))")
    }

    @Test("a broken rule is named in words")
    func causes() {
        #expect("\(DisconnectCause(.yamux(.pingFlood)))" == "the peer broke the rules: \(YamuxError.pingFlood)")
        #expect("\(DisconnectCause(.remote(code: 0)))" == "closed by the peer")
        #expect("\(DisconnectCause(.remote(code: 0x1005)))" == "\(CloseReason.remote(code: 0x1005))")
    }

    @Test("every event is a sentence")
    func events() throws {
        let place = try Multiaddr(text: "/ip4/192.0.2.1/tcp/4001")
        let connection = ConnectionInfo(
            id: 7, peer: self.peer, direction: .inbound, remoteAddress: place, localAddress: place, security: "/noise",
            isLimited: true)
        let info = IdentifyInfo(
            peer: self.peer, agentVersion: "agent\u{1b}", protocolVersion: "", protocols: ["/a", "/b"],
            listenAddresses: [], observedAddress: nil, signedRecord: nil)
        let limit = LimitExceeded(.connections, limit: 4)
        let told: [(NodeEvent, String)] = [
            (
                .connected(connection),
                "connected with \(self.peer) at \(place), opened by the peer, over /noise, limited"
            ),
            (.disconnected(connection, isLast: true, cause: .silent), "limited by a relay: the peer was silent"),
            (.disconnected(connection, isLast: false, cause: .closed), "closed by us; other connections"),
            (.identified(self.peer, info), #"speaks 2 protocols by the software agent\u{1B}"#),
            (.identifyFailed(connection, reason: "no answer", triesAgain: true), "no answer; it is asked again later"),
            (.identifyFailed(connection, reason: "no answer", triesAgain: false), "did not say who it is: no answer"),
            (
                .dialFailed(self.peer, P2PError(dial: DialError(.allFailed, peer: self.peer), timeout: nil)),
                "no connection with \(self.peer): unreachable"
            ),
            (
                .connectionRefused(from: place, peer: nil, reason: .limit(limit)),
                "refused a connection from \(place): limit"
            ),
            (.connectionRefused(from: place, peer: self.peer, reason: .ourselves), "of \(self.peer): it has our own"),
            (.limitReached(limit, times: 1), "of 4 reached"), (.limitReached(limit, times: 3), "reached, 3 times"),
            (.listenAddressesChanged([place, place]), "listening on \(place), \(place)"),
            (.listenAddressesChanged([]), "listening on no address"),
        ]
        for (event, words) in told {
            #expect(isInWords(event) && event.description.contains(words), "\(event)")
        }
    }
}
