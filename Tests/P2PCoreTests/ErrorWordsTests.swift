import GoopTestKit
import Multiformats
import P2PCore
import Testing

@Suite("Protocols: errors in words") struct ErrorWordsTests {
    @Test func multistream() {
        let told: [(MultistreamError, String)] = [
            (.messageTooLarge(limit: 1024), "longer than 1024 bytes; see whether a libp2p peer listens"),
            (.malformedLength, "see whether a libp2p peer listens"), (.missingNewline, "newline; see whether"),
            (.missingHeader, "/multistream/1.0.0; see whether"),
            (.unexpectedAnswer(name: "/x\u{1b}"), #"/x\u{1B}, which"#),
            (.refused(proposed: ["/noise", "/tls/1.0.0"]), "none of what was proposed: /noise, /tls/1.0.0"),
            (.refused(proposed: []), "no protocol was named"), (.noAgreement, "nothing that is spoken here"),
            (.tooManyProposals(limit: 100), "more than 100 protocols"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
            // As a person sees it: with what it was about.
            let whole = UpgradeError.securityNegotiation(error)
            #expect(isInWords(whole) && whole.description.contains(words), "\(whole)")
        }
    }

    @Test("of many proposals eight are named, and the others counted")
    func manyProposals() {
        let error = MultistreamError.refused(proposed: (1...100).map { ProtocolID("/p\($0)") })
        #expect(error.description.hasSuffix("/p7, /p8 and 92 more"), "\(error)")
        let few = MultistreamError.refused(proposed: (1...8).map { ProtocolID("/p\($0)") })
        #expect(few.description.hasSuffix("/p7, /p8"), "\(few)")
    }

    @Test func yamux() {
        let told: [(YamuxError, String)] = [
            (.truncatedHeader, "mistake of our own"), (.unsupportedVersion(7), "version 7"),
            (.unknownKind(9), "kind 9"), (.streamFrameOnSession, "without the stream's number"),
            (.sessionFrameOnStream(3), "stream 3"), (.wrongParity(5), "5"), (.duplicateOpen(7), "stream 7"),
            (.windowExceeded(stream: 1, granted: 20, received: 30), "30 bytes on the stream 1, where 20"),
            (.pingFlood, "pings"), (.emptyFrameFlood, "for streams that are gone"), (.resetFlood, "reset or refused"),
            (.keepAliveTimedOut, "dial it again"), (.writeTimedOut, "dial it again"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func identify() {
        let told: [(IdentifyError, String)] = [
            (.messageTooLong(limit: 8192), "longer than 8192 bytes"),
            (.tooManyMessages(limit: 10), "more than 10 messages"), (.truncated, "ended inside"),
            (.malformed, "cannot be read"),
            (.wrongKey, "another key"), (.empty, "before the peer said anything"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func gossipFrame() {
        let told: [(GossipFrameError, String)] = [
            (.malformedLength(.tooLong), "nine bytes"),
            (.tooLarge(bytes: 9, limit: 8), "9 bytes, beyond 8"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }

    @Test func gossipMessage() {
        let told: [(GossipMessageError, String)] = [
            (.malformed, "cannot be read"), (.notCanonical, "twice"), (.missingTopic, "no topic"),
            (.invalidTopic, "UTF-8"), (.missingSource, "no author"), (.invalidSource, "not a peer id"),
            (.missingSequence, "no sequence number"), (.invalidSequence, "8 bytes"), (.missingSignature, "not signed"),
        ]
        for (error, words) in told {
            #expect(isInWords(error) && error.description.contains(words), "\(error)")
        }
    }
}
