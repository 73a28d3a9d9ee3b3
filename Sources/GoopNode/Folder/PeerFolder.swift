import GoopCore

/// Where everything of a peer is kept.
public struct PeerFolder: Sendable, Hashable {
    /// The folder, as the person wrote it without a slash at the end.
    public let path: String

    /// Names a folder, which need not exist.
    public init(_ path: String) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path.isEmpty ? "." : path
    }

    /// The settings.
    public var configurationFile: String { path + "/" + GoopConfiguration.fileName }
    /// The owner's picture, of whatever kind; the name is upstream's.
    public var avatarFile: String { path + "/avatar.png" }
    /// What the program keeps for itself.
    public var dataFolder: String { path + "/data" }
    /// Held while a process runs on this folder.
    public var lockFile: String { dataFolder + "/peer.lock" }
    /// Chosen ports, and who the peer was at its last start.
    public var stateFile: String { dataFolder + "/state.json" }
    /// The starter site whose tables are still to be made; there from before the site appears until they are.
    var starterFile: String { dataFolder + "/starter" }
    /// Which sites learn the owner's e-mail address.
    public var consentsFile: String { dataFolder + "/consents.json" }
    /// The tables of the site.
    public var databaseFile: String { path + "/data.db" }
    /// Known peers and what was decided about them.
    public var peersDatabase: String { dataFolder + "/peers.db" }
    /// Where a running peer takes commands.
    public var controlSocket: String { dataFolder + "/control.sock" }

    /// A path as a setting gives it: absolute, or from this folder.
    public func resolve(_ setting: String) -> String { FolderPath.resolve(setting, in: path) }

    /// Sees that there is a peer in the folder.
    /// - Throws: `Failure` that tells a folder without one from one that cannot be looked into, and from no folder at all.
    func requireSettings() throws(Failure) {
        guard let fault = AtomicFile.faultOfLooking(at: configurationFile) else { return }
        guard fault.isMissing else { throw fault.failure }
        if AtomicFile.exists(path), !AtomicFile.isFolder(path) {
            throw Failure(
                .noInput, "\(path) is no folder", nextStep: "name the folder of a peer, or create one: goop2 init DIR")
        }
        throw Failure(
            .noInput, "there is no peer in \(path): \(configurationFile) does not exist",
            nextStep: "create one: goop2 init \(word)")
    }

    /// The path as a person types it in a command.
    public var word: String { TerminalText.shellWord(path) }

    /// The name of the folder itself, also for `.` and `..`.
    public var name: String {
        let own = FolderPath.lastName(of: path)
        guard own == "." || own == ".." || own == "/" else { return own }
        return FolderPath.real(path).map(FolderPath.lastName) ?? own
    }
}
