import Crypto
public import GoopCore
import Multiformats
public import PeerIdentity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A peer's folder in order and locked: settings read, identity loaded, nothing missing.
public final class PreparedPeer: Sendable {
    /// What to do about things that are missing.
    public struct Options: Sendable, Hashable {
        /// Whether missing things are created; otherwise they are failures.
        public var createsMissing: Bool
        /// The label of a new peer; nil: the folder's name.
        public var label: String?
        /// The site of a new peer.
        public var starterSite: StarterSite
        /// Whether the folder is taken for this process; false only looks.
        public var takesLock: Bool

        /// Makes options.
        public init(
            createsMissing: Bool, label: String? = nil, starterSite: StarterSite = .plain, takesLock: Bool = true
        ) {
            self.createsMissing = createsMissing
            self.takesLock = takesLock
            self.label = label
            self.starterSite = starterSite
        }
    }

    /// Where.
    public let folder: PeerFolder
    /// The settings.
    public let configuration: GoopConfiguration
    /// Who we are.
    public let identity: PrivateKey
    /// What was created just now, in words: `settings`, `identity`, `starter site`.
    public let created: [String]
    /// What the owner should know, one line each.
    public let notes: [String]
    let lock: FolderLock?
    /// The tables that the pages of the starter site use, until they are made.
    let starterTables: [StarterTable]

    /// How `created` names the starter site.
    static let starterSite = "starter site"

    private init(
        folder: PeerFolder, configuration: GoopConfiguration, identity: PrivateKey, created: [String], notes: [String],
        lock: FolderLock?, starterTables: [StarterTable]
    ) {
        self.folder = folder
        self.configuration = configuration
        self.identity = identity
        self.created = created
        self.notes = notes
        self.lock = lock
        self.starterTables = starterTables
    }

    /// The folder that visitors see.
    public var siteRoot: String { folder.resolve(configuration.paths.siteRoot) }

    /// Releases the folder for another process.
    public func release() { lock?.release() }

    /// Whether the halves of the pair for sealed payloads belong together, or one is missing and a start makes both.
    static func isPair(_ stored: GoopConfiguration.P2P) -> Bool {
        guard !stored.naclPublicKey.isEmpty, !stored.naclPrivateKey.isEmpty else { return true }
        let secret = (try? Base64.decode(stored.naclPrivateKey.revealed)) ?? []
        guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: secret) else { return false }
        return (try? Base64.decode(stored.naclPublicKey)) == Array(key.publicKey.rawRepresentation)
    }

    /// Looks at the folder, creates what is missing if that is wanted, and locks it.
    /// - Throws: `Failure`.
    public static func open(_ folder: PeerFolder, options: Options) throws -> PreparedPeer {
        do {
            var preparation = try FolderPreparation(folder: folder, options: options)
            return try preparation.finish()
        } catch let fault as FileFault {
            throw fault.failure
        }
    }

    fileprivate struct FolderPreparation {
        let folder: PeerFolder
        let options: Options
        let lock: FolderLock?
        var created: [String] = []
        var notes: [String] = []

        init(folder: PeerFolder, options: Options) throws {
            self.folder = folder
            self.options = options
            if !options.createsMissing { try folder.requireSettings() }
            guard options.takesLock else {
                lock = nil
                return
            }
            try AtomicFile.createFolder(folder.path)
            try AtomicFile.createFolder(folder.dataFolder, mode: 0o700)
            do throws(FolderLockError) { lock = try FolderLock(path: folder.lockFile) } catch {
                switch error {
                case .fault(let fault): throw fault
                case .held(let process):
                    throw Failure(
                        .temporary,
                        "this folder is in use by " + (process.map { "process \($0)" } ?? "another process"),
                        nextStep: "use the peer that runs, or stop it first" + (process.map { ": kill \($0)" } ?? ""))
                }
            }
        }

        mutating func finish() throws -> PreparedPeer {
            var configuration = try settings()
            if let problem = folder.secretInTheSite(configuration) {
                throw Failure(
                    .configuration,
                    "\(folder.configurationFile): \(problem.key.map { $0 + ": " } ?? "")\(problem.cause)",
                    nextStep: problem.nextStep)
            }
            let identity = try identity(configuration)
            try sealingKeys(&configuration)
            try viewerPassword(&configuration)
            try site(configuration)
            // Last, for what it notes is told once: by a start that comes so far.
            remember(identity.peerID, keyFile: folder.resolve(configuration.identity.keyFile))
            noteWhatIsNotTaken(configuration)
            noteAnUnreadableSite(folder.resolve(configuration.paths.siteRoot))
            for key in configuration.unknownKeys.prefix(20) {
                notes.append("\(folder.configurationFile): \(key)")
            }
            return PreparedPeer(
                folder: folder, configuration: configuration, identity: identity, created: created, notes: notes,
                lock: lock, starterTables: tablesToMake())
        }

        private mutating func settings() throws -> GoopConfiguration {
            let path = folder.configurationFile
            do {
                let bytes = try AtomicFile.read(path, limit: GoopConfiguration.maximumFileBytes)
                try protect(path)
                return try GoopConfiguration(decoding: bytes)
            } catch let error as ConfigurationError {
                let lines = error.problems.prefix(20).map { "\(path): \($0.description)" }
                throw Failure(
                    .configuration, lines.joined(separator: "\n"),
                    nextStep: "change the file as it says there; a key that is taken out has its default")
            } catch let fault as FileFault where fault.isMissing && options.createsMissing {
                let label = options.label ?? folder.name
                let configuration = GoopConfiguration.starter(label: label)
                // Before anything is written: settings that are lost may have said who may see the site.
                if let lastID, !AtomicFile.exists(folder.resolve(configuration.identity.keyFile)) {
                    throw Failure(
                        .noInput, "\(path) does not exist, and this folder has been the peer \(lastID)",
                        nextStep:
                            "put your backup of it there, and of the key that it names; or, to become a new peer under "
                            + "a new id, forget the old one: \(forgetLastID)")
                }
                if let problem = configuration.validate().first {
                    throw Failure(.usage, "the label cannot be used: \(problem.cause)", nextStep: problem.nextStep)
                }
                try AtomicFile.create(configuration.encoded(), at: path)
                created.append("settings")
                return configuration
            }
        }

        private mutating func identity(_ configuration: GoopConfiguration) throws -> PrivateKey {
            let path = folder.resolve(configuration.identity.keyFile)
            do {
                let bytes = try AtomicFile.read(path, limit: IdentityFile.maximumBytes)
                try protect(path)
                return try IdentityFile.key(in: bytes)
            } catch let error as IdentityFileError {
                throw Failure(
                    .data, "the identity in \(path) cannot be used: \(error)",
                    nextStep: "put your backup of it there; or, to become a new peer under a new id, move it away: "
                        + "mv \(TerminalText.shellWord(path)) \(TerminalText.shellWord(path + ".broken"))"
                        + (lastID == nil ? "" : " && \(forgetLastID)"))
            } catch let fault as FileFault where fault.isMissing && !AtomicFile.exists(path) {
                // Whoever moved the key by mistake, or started before a disk was there, would else be somebody else from now on,
                // whom nobody knows.
                if let lastID {
                    throw Failure(
                        .noInput, "the identity \(path) does not exist, and this folder has been the peer \(lastID)",
                        nextStep:
                            "put your key there, or name its file in identity.key_file of \(folder.configurationFile) ("
                            + (configuration.identity.keyFile.hasPrefix("/")
                                ? "it lies outside of this folder, so no backup of goop2 has it"
                                : "in what goop2 backup wrote it is \(configuration.identity.keyFile)")
                            + "); or, to become a new peer under a new id, forget the old one: \(forgetLastID)")
                }
                guard !hasLostItsData else {
                    throw Failure(
                        .noInput,
                        "\(folder.dataFolder) is empty, though \(folder.databaseFile) shows that there has been a peer",
                        nextStep:
                            "put your backup of it there (is a disk missing?); or, to become a new peer under a new id: "
                            + "touch \(TerminalText.shellWord(folder.stateFile))")
                }
                guard options.createsMissing else {
                    throw Failure(
                        .noInput, "the identity \(path) does not exist",
                        nextStep: "put your backup of it there, or create a new one: goop2 init \(folder.word)")
                }
                let key = PrivateKey.generate()
                try AtomicFile.createFolder(FolderPath.parent(of: path), mode: 0o700)
                try AtomicFile.create(IdentityFile.contents(of: key), at: path)
                created.append("identity")
                return key
            }
        }

        /// Who the peer was at its last start, if that is remembered.
        private var lastID: PeerID? { PeerState.load(folder.stateFile).peerID }

        /// Whether all that the program keeps for itself is gone, its memory of the id too, while the owner's settings and tables
        /// are there.
        private var hasLostItsData: Bool {
            let names = (try? FolderContents.names(in: folder.dataFolder)) ?? []
            return !created.contains("settings") && AtomicFile.exists(folder.databaseFile)
                && names.allSatisfy { $0 == Array("peer.lock".utf8) }
        }

        /// The command after which a start makes a new identity. Ports are chosen anew, too.
        private var forgetLastID: String { "rm \(TerminalText.shellWord(folder.stateFile))" }

        /// Notes who the peer is, for a start without the key. Another key than before is its owner's decision: it is told, and
        /// counts from then on.
        private mutating func remember(_ id: PeerID, keyFile: String) {
            // Only while the folder is ours: a peer that runs writes its ports into the same file.
            guard options.createsMissing, options.takesLock else { return }
            var state = PeerState.load(folder.stateFile)
            guard state.peerID != id else { return }
            if let lastID = state.peerID {
                notes.append(
                    "another identity than at the last start is in \(keyFile): this peer was \(lastID) and is now \(id). Who "
                        + "knew the old id does not find it; if that was not meant, put the old key back")
            }
            state.peerID = id
            do { try state.save(folder.stateFile) } catch {
                // No reason not to run; the next start tries again.
                notes.append("who this peer is cannot be remembered: \(error)")
            }
        }

        /// Upstream's second key pair, for sealed payloads; both halves stand in the settings.
        private mutating func sealingKeys(_ configuration: inout GoopConfiguration) throws {
            let stored = configuration.p2p
            if !stored.naclPublicKey.isEmpty, !stored.naclPrivateKey.isEmpty {
                guard PreparedPeer.isPair(stored) else {
                    throw Failure(
                        .configuration,
                        "\(folder.configurationFile): p2p.nacl_public_key does not belong to p2p.nacl_private_key",
                        nextStep: "restore the pair, or remove both keys to get a new pair at the next start")
                }
                return
            }
            guard options.createsMissing else { return }
            let key = Curve25519.KeyAgreement.PrivateKey()
            configuration.p2p.naclPublicKey = Base64.encode(Array(key.publicKey.rawRepresentation))
            configuration.p2p.naclPrivateKey = Secret(Base64.encode(Array(key.rawRepresentation)))
            try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
        }

        /// Written in clear by its owner, kept as a hash.
        private mutating func viewerPassword(_ configuration: inout GoopConfiguration) throws {
            guard options.createsMissing, options.takesLock, ViewerPassword.conceal(in: &configuration) else { return }
            try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
            notes.append("\(folder.configurationFile): viewer.password was written in clear; its hash stands there now")
        }

        private mutating func site(_ configuration: GoopConfiguration) throws {
            let root = folder.resolve(configuration.paths.siteRoot)
            guard options.createsMissing, !AtomicFile.exists(root) else { return }
            // All of it or nothing: half a site would be taken for the owner's own at the next start. And what tables are still
            // to be made is written down first, so that they are made then if this process does not come to it.
            // Beside the root, also if that is written with a slash at the end.
            let unfinished = FolderPath.parent(of: root) + "/" + FolderPath.lastName(of: root) + ".goop2-unfinished"
            FolderContents.remove(unfinished)
            try AtomicFile.createFolder(unfinished)
            for (name, text) in options.starterSite.files(label: configuration.profile.label) {
                try AtomicFile.createFolder(FolderPath.parent(of: unfinished + "/" + name))
                try AtomicFile.create(Array(text.utf8), at: unfinished + "/" + name, mode: 0o644)
            }
            if options.starterSite.tables.isEmpty {
                unlink(folder.starterFile)
            } else {
                try AtomicFile.write(Array(options.starterSite.rawValue.utf8), to: folder.starterFile)
            }
            guard rename(unfinished, root) == 0 else { throw FileFault("create", root) }
            created.append(PreparedPeer.starterSite)
        }

        /// Wishes for a new peer change nothing in one that is there.
        private mutating func noteWhatIsNotTaken(_ configuration: GoopConfiguration) {
            guard options.createsMissing else { return }
            if let label = options.label, label != configuration.profile.label, !created.contains("settings") {
                notes.append(
                    "the name stays \(configuration.profile.label): --label is for a new peer; change profile.label in "
                        + "the viewer's settings or in \(folder.configurationFile)")
            }
            if options.starterSite != .plain, !created.contains(PreparedPeer.starterSite) {
                notes.append(
                    "the site stays as it is: --starter is for a new one; the viewer's My site room adds starters")
            }
        }

        /// A start does not fail by it, and nobody would see the site: not even its owner, who would look for the cause elsewhere.
        private mutating func noteAnUnreadableSite(_ root: String) {
            guard options.createsMissing else { return }
            var code: CInt = 0
            if let listing = opendir(root) {
                if access(root, X_OK) != 0 { code = errno }
                closedir(listing)
            } else {
                code = errno
            }
            guard code != 0 else { return }
            let nextStep =
                code == ENOTDIR
                ? "move it away, and put a folder there"
                : "allow it: chmod u+rx \(TerminalText.shellWord(root))"
            let reason = String(cString: strerror(code))
            notes.append("\(root) cannot be read: \(reason), so nobody sees your site; next: \(nextStep)")
        }

        /// The tables of a starter site that were not all made yet.
        private func tablesToMake() -> [StarterTable] {
            guard let name = try? AtomicFile.read(folder.starterFile, limit: 64) else { return [] }
            return StarterSite(rawValue: String(decoding: name, as: UTF8.self))?.tables ?? []
        }

        private mutating func protect(_ path: String) throws(FileFault) {
            if try AtomicFile.makePrivate(path) { notes.append("\(path) was readable by others; it no longer is") }
        }
    }
}
