import GoopCore

/// The password of the outer door on its way into the settings: whoever writes it in clear finds its hash afterwards.
enum ViewerPassword {
    /// Reads a hash, or makes one of a password in clear; nil for the empty text and for what cannot be hashed.
    static func hash(_ stored: Secret) -> PasswordHash? {
        if stored.revealed.hasPrefix(PasswordHash.mark) { return PasswordHash(stored.revealed) }
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return PasswordHash(of: stored, salt: salt)
    }

    /// Puts the hash where the password stands.
    /// - Returns: true if there was one in clear.
    static func conceal(in configuration: inout GoopConfiguration) -> Bool {
        let stored = configuration.viewer.password
        guard !stored.isEmpty, !stored.revealed.hasPrefix(PasswordHash.mark), let hash = hash(stored) else {
            return false
        }
        configuration.viewer.password = Secret(hash.description)
        return true
    }
}
