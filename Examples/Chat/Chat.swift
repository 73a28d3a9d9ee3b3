// GossipSub: a chat room. Everybody who follows the topic hears every line, also from peers it has no connection with.

import Foundation
import LibP2P

@main
struct Chat {
    static let topic = "goop2-example-chat"

    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let name = arguments.first ?? "somebody"
        let node = Node(
            configuration: .init(identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")]))
        // Before the start, so that the first peer hears of it.
        let pubsub = PubSub(node: node)
        try await node.start()
        for address in node.listenAddresses() { say("listening on \(address.appending(node.peerID))") }

        let messages = try await pubsub.subscribe(to: topic) { message in
            // What a validator rejects goes to nobody, and counts against who sent it.
            message.data.count <= 1_024 && String(validating: message.data, as: UTF8.self) != nil ? .accept : .reject
        }
        let listener = Task {
            for await message in messages { say(String(decoding: message.data, as: UTF8.self)) }
        }
        let events = await pubsub.events()
        let doorman = Task {
            for await event in events {
                if case .peerSubscribed(let peer, Chat.topic) = event { say("* \(peer) joined") }
            }
        }
        for address in arguments.dropFirst() { try await node.connect(to: Multiaddr(text: address)) }
        for await line in lines() { try await pubsub.publish(Array("\(name): \(line)".utf8), to: topic) }
        // Ctrl-D: what was said still goes out.
        await pubsub.drain()
        listener.cancel()
        doorman.cancel()
        await node.stop()
    }

    /// Lines as they are typed. Reading a terminal blocks, so it has a thread of its own.
    static func lines() -> AsyncStream<String> {
        AsyncStream { continuation in
            Thread.detachNewThread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
        }
    }

    /// Prints at once, also into a pipe.
    static func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }
}
