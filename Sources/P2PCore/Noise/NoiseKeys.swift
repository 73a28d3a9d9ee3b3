/// The two X25519 private keys of one Noise handshake, as 32 raw bytes each.
///
/// Both are fresh random bytes for every connection. The static key is not the peer's identity: the identity signs it.
public struct NoiseKeys: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let ephemeralKey: [UInt8]
    let staticKey: [UInt8]

    /// Keys from given bytes. Anything but 32 bytes each makes the handshake throw `NoiseError.invalidOwnKey`.
    public init(ephemeralKey: [UInt8], staticKey: [UInt8]) {
        self.ephemeralKey = ephemeralKey
        self.staticKey = staticKey
    }

    /// Keys drawn from `generator`, which must be a cryptographic one outside of tests.
    public init(using generator: inout some RandomNumberGenerator) {
        func draw(_ generator: inout some RandomNumberGenerator) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(32)
            while bytes.count < 32 {
                withUnsafeBytes(of: generator.next().littleEndian) { bytes.append(contentsOf: $0) }
            }
            return bytes
        }
        self.init(ephemeralKey: draw(&generator), staticKey: draw(&generator))
    }

    /// Names the type only: keys never reach a log.
    public var description: String { "NoiseKeys(redacted)" }
    /// Names the type only: keys never reach a log.
    public var debugDescription: String { description }
    /// Shows no members: keys never reach a log.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
