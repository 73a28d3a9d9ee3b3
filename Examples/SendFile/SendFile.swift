// Back-pressure: a file of any size goes over one stream, and neither side holds more of it than a window.
//
// The sender writes a line with the size and the name, percent-encoded (RFC 3986, section 2.1), then the bytes, then closes its
// side; the receiver answers "ok" and a line feed once the file is whole and on the disk. What it refuses it resets.

import Foundation
import LibP2P
import NIOCore

@main
struct SendFile {
    static let protocolID: ProtocolID = "/goop2-example/file/1.0.0"
    static let chunkBytes = 64 << 10
    /// How long the other side may say nothing.
    static let patience = Duration.seconds(30)

    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let node = Node(
            configuration: .init(identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")]))
        switch arguments.first {
        case "receive" where arguments.count == 2:
            let folder = URL(filePath: arguments[1], directoryHint: .isDirectory)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            node.serve(protocolID) { stream in
                do {
                    let name = try await receive(stream, into: folder)
                    say("received \(name) from \(stream.remotePeer)")
                } catch {
                    say("refused: \(error)")
                    throw error
                }
            }
            let events = node.events()
            try await node.start()
            for address in node.listenAddresses() { say("\(address.appending(node.peerID))") }
            // Until Ctrl-C.
            for await _ in events {}
        case "send" where arguments.count == 3:
            try await node.start()
            try await send(URL(filePath: arguments[1]), to: Multiaddr(text: arguments[2]), from: node)
            await node.stop()
        default: say("usage: example-send receive FOLDER | example-send send FILE ADDRESS")
        }
    }

    static func send(_ file: URL, to address: Multiaddr, from node: Node) async throws {
        let handle = try FileHandle(forReadingFrom: file)
        let size = try handle.seekToEnd()
        try handle.seek(toOffset: 0)
        // A blank or a line feed in it would end the name or the line.
        guard let name = file.lastPathComponent.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) else {
            throw Refusal.noHead
        }
        let peer = try await node.connect(to: address).peer
        // An error on the way, of the disk or of the peer, resets the stream: half a file is none.
        try await node.withStream(to: peer, protocols: [protocolID]) { stream in
            try await stream.write("\(size) \(name)\n".utf8)
            while let chunk = try handle.read(upToCount: chunkBytes), !chunk.isEmpty {
                // Waits while the receiver is slower than the disk.
                try await stream.write(ByteBuffer(bytes: chunk))
            }
            try await stream.closeWrite()
            let answer = try await stream.readLine(max: 64, timeout: patience)
            guard answer.map({ String(buffer: $0) }) == "ok" else { throw Refusal.notStored }
        }
        say("sent \(size) bytes")
    }

    static func receive(_ stream: P2PStream, into folder: URL) async throws -> String {
        // A stranger wrote this: every part of it is checked.
        guard let head = try await stream.readLine(max: 1_024, timeout: patience) else { throw Refusal.noHead }
        let parts = String(buffer: head).utf8.split(separator: UInt8(ascii: " "), maxSplits: 1)
        guard parts.count == 2, let size = Int(String(parts[0]) ?? ""), size >= 0, size <= 1 << 32,
            let name = String(parts[1])?.removingPercentEncoding, isFileName(name)
        else { throw Refusal.noHead }
        let target = "\(folder.path(percentEncoded: false))/\(name)"
        // Now, so that nobody sends what will not be kept.
        guard !FileManager.default.fileExists(atPath: target) else { throw Refusal.exists }
        // Until it is whole, under a name that no other sender can choose; if it never is, nothing is left of it.
        let partial = folder.appending(path: ".\(UUID().uuidString).part")
        defer { _ = try? FileManager.default.removeItem(at: partial) }
        guard FileManager.default.createFile(atPath: partial.path(percentEncoded: false), contents: nil) else {
            throw Refusal.notStored
        }
        let handle = try FileHandle(forWritingTo: partial)
        var left = size
        while let chunk = try await stream.read(timeout: patience) {
            guard chunk.readableBytes <= left else { throw Refusal.tooLong }
            left -= chunk.readableBytes
            try handle.write(contentsOf: Data(chunk.readableBytesView))
        }
        guard left == 0 else { throw Refusal.tooShort }
        try handle.synchronize()
        try handle.close()
        // A second name for the file, which fails if another sender was faster; the first one goes at the end.
        try FileManager.default.linkItem(atPath: partial.path(percentEncoded: false), toPath: target)
        try await stream.write("ok\n".utf8)
        return name
    }

    /// Whether a stranger's name stays in the folder, is not hidden there, fits Linux (255 bytes), and can be printed.
    static func isFileName(_ name: String) -> Bool {
        let unprintable: [Unicode.GeneralCategory] = [.control, .format, .lineSeparator, .paragraphSeparator]
        return (1...255).contains(name.utf8.count) && !name.hasPrefix(".")
            && name.unicodeScalars.allSatisfy { $0 != "/" && !unprintable.contains($0.properties.generalCategory) }
    }

    enum Refusal: Error { case noHead, exists, tooLong, tooShort, notStored }

    /// Prints at once, also into a pipe.
    static func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }
}
