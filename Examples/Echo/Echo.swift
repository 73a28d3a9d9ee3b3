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
            try await ask(node, at: Multiaddr(text: address), arguments.dropFirst().joined(separator: " "))
            await node.stop()
        } else {
            // A handler is there before the node is: the first visitor finds it.
            node.setHandler(for: protocolID) { stream in
                do {
                    while let bytes = try await stream.read() { try await stream.write(bytes) }
                    await stream.close()
                } catch {
                    print("\(stream.remotePeer) went away: \(error)")
                }
            }
            try await node.start()
            for address in node.listenAddresses() { print(address.appending(node.peerID)) }
            // Until Ctrl-C.
            while true { try await Task.sleep(for: .seconds(3_600)) }
        }
    }

    /// Sends a line and prints the answer.
    static func ask(_ node: Node, at address: Multiaddr, _ text: String) async throws {
        guard let peer = address.peerID else { return print("\(address) does not end in /p2p/ID") }
        // Who answers is proved by the handshake: an address that leads to somebody else fails here.
        node.addAddresses([address.withoutPeerID], of: peer, source: .configured)
        let stream = try await node.openStream(to: peer, protocols: [protocolID])
        try await stream.write(Array(text.utf8))
        try await stream.closeWrite()
        let answer = try await stream.readToEnd(max: 1 << 20)
        print(String(buffer: answer))
        await stream.close()
    }
}
