import Crypto
import CryptoExtras
import FoundationEssentials
import Multiformats

/// A password as it is kept: what scrypt makes of it with a salt, from which nobody gets it back but by trying.
///
/// Text form: `$scrypt$ln=15,r=8,p=3$SALT$HASH`, base64 without padding, as other programs write it.
/// Source: RFC 7914; the figures are those of the OWASP password storage cheat sheet.
public struct PasswordHash: Sendable, Hashable, LosslessStringConvertible, CustomReflectable {
    /// How much work one try is: memory is 128 · r · 2^logarithm bytes, time grows with p.
    public struct Cost: Sendable, Hashable {
        /// Binary logarithm of the rounds.
        public var logarithm: Int
        /// Block size.
        public var blockSize: Int
        /// Passes, one after the other.
        public var passes: Int

        /// 32 MiB, a fraction of a second.
        public static let standard = Cost(logarithm: 15, blockSize: 8, passes: 3)

        /// All three.
        public init(logarithm: Int, blockSize: Int, passes: Int) {
            self.logarithm = logarithm
            self.blockSize = blockSize
            self.passes = passes
        }

        /// What a file may ask for: enough to be worth it, not so much that a login stops the machine.
        var isAcceptable: Bool {
            (12...18).contains(logarithm) && (1...16).contains(blockSize) && (1...8).contains(passes)
        }
    }

    /// The fewest and the most bytes of a password.
    public static let acceptedBytes = 12...256
    /// How the text form begins; a password cannot.
    public static let mark = "$scrypt$"

    private static let saltBytes = 16
    private static let hashBytes = 32

    private let cost: Cost
    private let salt: [UInt8]
    private let hash: [UInt8]

    /// Hashes a password, which takes a fraction of a second of a processor.
    /// - Parameter salt: 16 fresh random bytes.
    /// - Returns: nil if the password is empty or longer than is accepted, or the salt has another length.
    public init?(of password: Secret, salt: [UInt8], cost: Cost = .standard) {
        guard salt.count == Self.saltBytes, cost.isAcceptable,
            let hash = Self.derive(password.revealed, salt: salt, cost: cost)
        else { return nil }
        self.cost = cost
        self.salt = salt
        self.hash = hash
    }

    /// Reads the text form.
    public init?(_ description: String) {
        let parts = description.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { return nil }
        let figures = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard figures.count == 3, let logarithm = Self.figure(figures[0], "ln="),
            let blockSize = Self.figure(figures[1], "r="), let passes = Self.figure(figures[2], "p=")
        else { return nil }
        cost = Cost(logarithm: logarithm, blockSize: blockSize, passes: passes)
        guard cost.isAcceptable, let salt = try? Base64.decode(String(parts[3]), as: .standardUnpadded),
            let hash = try? Base64.decode(String(parts[4]), as: .standardUnpadded),
            (8...64).contains(salt.count), hash.count == Self.hashBytes
        else { return nil }
        self.salt = salt
        self.hash = hash
    }

    /// Tries a password. Takes as long for a wrong one as for the right one.
    public func matches(_ password: Secret) -> Bool {
        guard let tried = Self.derive(password.revealed, salt: salt, cost: cost), tried.count == hash.count else {
            return false
        }
        return zip(tried, hash).reduce(into: 0 as UInt8) { $0 |= $1.0 ^ $1.1 } == 0
    }

    /// The text form. Whoever has it can try passwords as fast as the machine allows, so it is as secret as a key.
    public var description: String {
        "\(Self.mark)ln=\(cost.logarithm),r=\(cost.blockSize),p=\(cost.passes)"
            + "$\(Base64.encode(salt, as: .standardUnpadded))$\(Base64.encode(hash, as: .standardUnpadded))"
    }

    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Nil for the empty password, of which scrypt makes nothing, and for one that nobody can have set.
    private static func derive(_ password: String, salt: [UInt8], cost: Cost) -> [UInt8]? {
        let bytes = Array(password.utf8)
        guard (1...acceptedBytes.upperBound).contains(bytes.count) else { return nil }
        let key = try? KDF.Scrypt.deriveKey(
            from: bytes, salt: salt, outputByteCount: hashBytes, rounds: 1 << cost.logarithm,
            blockSize: cost.blockSize, parallelism: cost.passes)
        return key?.withUnsafeBytes { Array($0) }
    }

    private static func figure(_ text: Substring, _ name: String) -> Int? {
        guard text.hasPrefix(name), (1...2).contains(text.utf8.count - name.utf8.count) else { return nil }
        let digits = text.dropFirst(name.utf8.count)
        return digits.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(digits) : nil
    }
}
