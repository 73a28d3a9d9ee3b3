// Streams: one peer answers every byte with the same byte, the other sends a line and prints what comes back.

import LibP2P
import NIOCore

@main
struct Echo {
    static let protocolID: ProtocolID = "/echo/1.0.0"

    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let node = Node(
            configuration: .init(identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")]))
        if let address = arguments.first {
            try await node.start()
            print(try await ask(node, at: Multiaddr(text: address), arguments.dropFirst().joined(separator: " ")))
            await node.stop()
        } else {
            // A handler is there before the node is: the first visitor finds it. What it throws resets the stream.
            node.serve(protocolID) { stream in
                while let bytes = try await stream.read() { try await stream.write(bytes) }
            }
            let events = node.events()
            try await node.start()
            for address in node.listenAddresses() { print(address.appending(node.peerID)) }
            // Until Ctrl-C.
            for await event in events {
                if case .connected(let connection) = event { print("\(connection.peer) is here") }
            }
        }
    }

    /// Sends a line and gives the answer.
    static func ask(_ node: Node, at address: Multiaddr, _ text: String) async throws -> String {
        // Who answers is proved by the handshake: an address that leads to somebody else fails here.
        let peer = try await node.connect(to: address).peer
        return try await node.withStream(to: peer, protocols: [protocolID]) { stream in
            try await stream.write(text.utf8)
            try await stream.closeWrite()
            return String(buffer: try await stream.readToEnd(max: 1 << 20, timeout: .seconds(10)))
        }
    }
}
