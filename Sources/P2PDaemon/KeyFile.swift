import Glibc
import PeerIdentity

/// Reads the file of `-id`: one private key in libp2p's protobuf.
enum KeyFile {
    static func read(_ path: String) throws(DaemonStartError) -> PrivateKey {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .unreadableKey(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: PrivateKey.maximumLength + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            if got < 0 { throw .unreadableKey(path: path, reason: String(cString: strerror(errno))) }
            if got == 0 { break }
            count += got
        }
        do {
            return try PrivateKey(protobuf: bytes.prefix(count))
        } catch {
            throw .unreadableKey(path: path, reason: "\(error)")
        }
    }
}
