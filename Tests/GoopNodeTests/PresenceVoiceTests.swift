import GoopCore
import PeerIdentity
import Testing

@testable import GoopNode

@Suite("Presence: when it is said", .timeLimit(.minutes(1))) struct PresenceVoiceTests {
    private let said = AsyncStream.makeStream(of: PresenceMessage.self)

    private func voice(heartbeat: Duration) -> PresenceVoice {
        PresenceVoice(
            machine: PresenceMachine(configuration: .init(heartbeat: heartbeat)),
            profile: PresenceProfile(peer: PrivateKey.generate().peerID, label: "ada"), clock: PeerClock()
        ) { [said] in if let message = try? PresenceMessage(decoding: $0) { said.continuation.yield(message) } }
    }

    @Test func itIsSaidAgainAtEachHeartbeat() async {
        let voice = voice(heartbeat: .milliseconds(10))
        let speaking = Task { await voice.run() }
        var heard = said.stream.makeAsyncIterator()
        #expect(await heard.next()?.kind == .online)
        for _ in 0..<3 { #expect(await heard.next()?.kind == .update) }
        speaking.cancel()
        await speaking.value
    }

    @Test func aNewcomerHearsItLongBeforeTheHeartbeatAndTheEndIsNotWaitedFor() async {
        let voice = voice(heartbeat: .seconds(3600))
        let speaking = Task { await voice.run() }
        var heard = said.stream.makeAsyncIterator()
        #expect(await heard.next()?.kind == .online)
        voice.listenerAppeared(listeners: 1)
        #expect(await heard.next()?.kind == .update)
        // An hour is left of the wait.
        speaking.cancel()
        await speaking.value
    }
}
