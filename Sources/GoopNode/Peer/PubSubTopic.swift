import GoopCore
import LibP2P
import Logging

/// The presence topic over GossipSub.
struct PubSubTopic: PresenceTopic {
    /// Events that a slow reader can be behind.
    static let bufferedEvents = 4096

    /// What becomes of a message before anybody hears of it and it is passed on: beyond `PresenceMessage.Limit.messageBytes`
    /// nobody of our kind reads it. Nobody is blamed: upstream's peers pass on whatever is signed, up to a frame of 1 MiB, and
    /// only the author knows better.
    static func verdict(bytes: Int) -> GossipVerdict {
        bytes <= PresenceMessage.Limit.messageBytes ? .accept : .ignore
    }

    let pubsub: PubSub
    let name: String
    let logger: Logger

    func publish(_ bytes: [UInt8]) async {
        do { try await pubsub.publish(bytes, to: name) } catch {
            logger.debug("presence was not published", metadata: ["reason": "\(error)"])
        }
    }

    func flush() async { await pubsub.drain() }

    func events() async throws -> AsyncStream<PresenceTopicEvent> {
        let listening = await pubsub.events()
        let messages = try await pubsub.subscribe(to: name) { PubSubTopic.verdict(bytes: $0.data.count) }
        let (stream, continuation) = AsyncStream.makeStream(
            of: PresenceTopicEvent.self, bufferingPolicy: .bufferingNewest(PubSubTopic.bufferedEvents))
        let reader = Task { [pubsub, name] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await message in messages {
                        continuation.yield(.message(from: message.from, bytes: message.data))
                    }
                }
                group.addTask {
                    for await event in listening {
                        guard case .peerSubscribed(_, topic: name) = event else { continue }
                        continuation.yield(.listenerAppeared(listeners: await pubsub.peers(of: name).count))
                    }
                }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in reader.cancel() }
        return stream
    }
}
