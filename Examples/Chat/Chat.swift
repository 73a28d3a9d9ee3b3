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
            isLine(message.data) ? .accept : .reject
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
        for await line in lines() {
            let said = Array("\(name): \(line)".utf8)
            // The others would reject it, and blame whoever passes it on.
            guard isLine(said) else {
                say("* not sent: a line has at most 1,024 bytes with your name, and no control codes")
                continue
            }
            try await pubsub.publish(said, to: topic)
        }
        // Ctrl-D: what was said still goes out.
        await pubsub.drain()
        listener.cancel()
        doorman.cancel()
        await node.stop()
    }

    /// What may be said: text that fits, and that does nothing to a terminal but stand there.
    static func isLine(_ data: [UInt8]) -> Bool {
        guard data.count <= 1_024, let text = String(validating: data, as: UTF8.self) else { return false }
        return text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
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
