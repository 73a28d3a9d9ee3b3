import Glibc
import GoopCore
import GoopHTTP
import Multiformats
import PeerIdentity
import Testing

@testable import GoopNode

@Suite struct PreparedPeerTests {
    let temporary = TemporaryFolder()
    var folder: PeerFolder { PeerFolder(temporary.path + "/ada/") }

    private func open(creating: Bool = true, label: String? = nil) throws -> PreparedPeer {
        try PreparedPeer.open(folder, options: .init(createsMissing: creating, label: label))
    }

    private func failure(creating: Bool = true) -> Failure? {
        do {
            _ = try open(creating: creating)
            return nil
        } catch {
            return error as? Failure
        }
    }

    /// Whoever was for this computer only is not to be on the network after the next start.
    @Test func theCommandThatStartsAPeerAgainKeepsWhoCanReachIt() {
        var options = PeerService.Options()
        #expect(RunningPeer.startCommand(of: "/srv/ada/", options) == "goop2 peer /srv/ada")
        options.isLocal = true
        #expect(RunningPeer.startCommand(of: "/srv/my ada", options) == "goop2 peer '/srv/my ada' --local")
        options.hasDiscovery = false
        #expect(RunningPeer.startCommand(of: "/srv/ada", options) == "goop2 peer /srv/ada --local --no-discovery")
    }

    @Test func aMissingFolderIsCreatedWhole() throws {
        let peer = try open()
        #expect(peer.created == ["settings", "identity", "starter site"])
        #expect(peer.notes == [])
        #expect(peer.configuration.profile.label == "ada")
        #expect(temporary.mode("ada/goop.json") == 0o600)
        #expect(temporary.mode("ada/data") == 0o700)
        #expect(temporary.mode("ada/data/identity.key") == 0o600)
        #expect(temporary.names(in: "ada/site") == ["index.html", "style.css"])
        #expect(temporary.read("ada/data/peer.lock") == "\(getpid())\n")
        #expect(temporary.names(in: "ada") == ["data", "goop.json", "site"])
        let publicKey = try Base64.decode(peer.configuration.p2p.naclPublicKey)
        #expect(publicKey.count == 32)
    }

    @Test func aSecondStartFindsTheSamePeer() throws {
        let first = try open(label: "A & B <x>")
        let id = first.identity.peerID
        first.release()
        #expect(temporary.read("ada/site/index.html")?.contains("A &amp; B &lt;x&gt;") == true)
        let second = try open(creating: false)
        #expect(second.created == [])
        #expect(second.identity.peerID == id)
        #expect(second.configuration.p2p == first.configuration.p2p)
        #expect(second.configuration.profile.label == "A & B <x>")
    }

    @Test func theFolderOfTheSiteMayBeWrittenWithASlash() throws {
        temporary.write(#"{"paths": {"site_root": "www/"}}"#, to: "ada/goop.json")
        #expect(try open().created.contains("starter site"))
        #expect(temporary.names(in: "ada/www") == ["index.html", "style.css"])
        #expect(!temporary.names(in: "ada").contains { $0.hasSuffix("unfinished") })
    }

    @Test func nothingIsCreatedUnasked() {
        #expect(failure(creating: false)?.kind == .noInput)
        #expect(temporary.names() == [])
    }

    /// Settings under which every visitor could fetch the key, or the settings with their secrets.
    @Test(arguments: [
        ("paths", "site_root", "."), ("paths", "site_root", "data"), ("paths", "site_root", "./site/.."),
        ("paths", "site_root", "link"), ("identity", "key_file", "site/key"), ("identity", "key_file", "site/a/key"),
        // To Swift the slash and the accent behind it are one character.
        ("identity", "key_file", "site/\u{301}key"),
    ])
    func theSiteMustNotHoldSecrets(section: String, key: String, value: String) throws {
        try open().release()
        symlink(".", temporary.path + "/ada/link")
        temporary.write("{\"\(section)\": {\"\(key)\": \"\(value)\"}}", to: "ada/goop.json")
        let refused = try #require(failure())
        #expect(refused.kind == .configuration)
        #expect(refused.cause.contains("visitors would be shown"))
        #expect(refused.cause.contains("\(section).\(key)"))
    }

    @Test func theSiteMustNotHoldTheKeyOfTheViewer() throws {
        try open().release()
        temporary.write(
            #"{"viewer": {"http_addr": "127.0.0.1:8443", "password": "a long password","#
                + #" "tls_certificate": "tls.pem", "tls_key": "site/tls.key"}}"#, to: "ada/goop.json")
        let refused = try #require(failure())
        #expect(refused.kind == .configuration && refused.cause.contains("viewer.tls_key: visitors would be shown"))
    }

    @Test func wishesForANewPeerAreToldToChangeNothingInAnOldOne() throws {
        try open(label: "Ada").release()
        let again = try PreparedPeer.open(
            folder, options: .init(createsMissing: true, label: "Eve", starterSite: .poll))
        #expect(again.configuration.profile.label == "Ada")
        #expect(again.notes.count == 2)
        #expect(again.notes.first?.contains("the name stays Ada") == true)
        again.release()
        let same = try open(label: "Ada")
        #expect(same.notes == [])
    }

    @Test func whatIsNoFolderOrCannotBeLookedIntoIsNotCalledMissing() throws {
        temporary.write("x", to: "ada")
        #expect(failure(creating: false)?.cause == "\(folder.path) is no folder")
        unlink(folder.path)
        #expect(failure(creating: false)?.nextStep == "create one: goop2 init \(folder.path)")
        guard getuid() != 0 else { return }  // Root may look into everything.
        try open().release()
        chmod(folder.path, 0)
        defer { chmod(folder.path, 0o700) }
        #expect(failure(creating: false)?.kind == .permission)
    }

    @Test func aSiteThatCannotBeReadIsTold() throws {
        try open().release()
        #expect(try reopened() == [])
        let site = folder.path + "/site"
        if getuid() != 0 {  // Root may look into everything.
            for rights in [0, 0o600, 0o300] as [mode_t] {
                chmod(site, rights)
                #expect(
                    try reopened() == [
                        "\(site) cannot be read: Permission denied, so nobody sees your site; next: allow it: chmod u+rx "
                            + TerminalText.shellWord(site)
                    ])
            }
            chmod(site, 0o755)
        }
        #expect(rename(site, site + "-old") == 0)
        temporary.write("x", to: "ada/site")
        #expect(
            try reopened() == [
                "\(site) cannot be read: Not a directory, so nobody sees your site; next: move it away, and put a folder there"
            ])
    }

    private func reopened() throws -> [String] {
        let peer = try open()
        defer { peer.release() }
        return peer.notes
    }

    @Test func oneProcessAtATime() throws {
        let first = try open()
        let refused = failure()
        #expect(refused?.kind == .temporary)
        #expect(refused?.cause == "this folder is in use by process \(getpid())")
        #expect(FolderLock.isHeld(path: folder.lockFile))
        first.release()
        #expect(!FolderLock.isHeld(path: folder.lockFile))
        _ = try open()
    }

    @Test(arguments: ["", "x", String(repeating: "y", count: 68), String(repeating: "z", count: 20_000)])
    func aDamagedIdentityStopsTheStartAndStays(text: String) throws {
        try open().release()
        temporary.write(text, to: "ada/data/identity.key")
        let refused = try #require(failure())
        #expect(refused.kind == .data || refused.kind == .inputOutput)
        #expect(refused.cause.contains("identity"))
        #expect(temporary.read("ada/data/identity.key") == text)
        #expect(!FolderLock.isHeld(path: folder.lockFile))
    }

    @Test func aKeyThatIsGoneStopsTheStartUntilItIsBackOrTheOwnerStartsOver() throws {
        let first = try open()
        first.release()
        let (id, path) = (first.identity.peerID, folder.path + "/data/identity.key")
        let key = try AtomicFile.read(path, limit: IdentityFile.maximumBytes)
        unlink(path)
        for creating in [true, false] {
            let refused = try #require(failure(creating: creating))
            #expect(refused.kind == .noInput)
            #expect(refused.cause == "the identity \(path) does not exist, and this folder has been the peer \(id)")
            #expect(refused.nextStep.hasPrefix("put your key there, or name its file in identity.key_file of "))
            #expect(refused.nextStep.contains("(in what goop2 backup wrote it is data/identity.key)"))
            #expect(refused.nextStep.hasSuffix("forget the old one: rm \(folder.stateFile)"))
            #expect(!AtomicFile.exists(path) && !FolderLock.isHeld(path: folder.lockFile))
        }
        try AtomicFile.write(key, to: path)
        let again = try open()
        #expect(again.identity.peerID == id && again.notes == [])
        again.release()
        unlink(path)
        unlink(folder.stateFile)
        let new = try open()
        #expect(new.created == ["identity"] && new.notes == [] && new.identity.peerID != id)
        #expect(PeerState.load(folder.stateFile).peerID == new.identity.peerID)
    }

    @Test func nothingIsWrittenForAPeerThatIsNotThere() throws {
        try open().release()
        unlink(folder.path + "/data/identity.key")
        unlink(folder.configurationFile)
        #expect(failure()?.cause.hasPrefix("\(folder.configurationFile) does not exist, and") == true)
        #expect(!AtomicFile.exists(folder.configurationFile), "other settings might show the site to everybody")
    }

    @Test func tablesWithoutAnythingElseAreNoNewPeer() throws {
        try open().release()
        temporary.write("", to: "ada/data.db")
        for name in ["identity.key", "state.json"] { unlink(folder.dataFolder + "/" + name) }
        let refused = try #require(failure())
        #expect(refused.kind == .noInput && refused.cause.hasPrefix("\(folder.dataFolder) is empty"))
        #expect(!AtomicFile.exists(folder.dataFolder + "/identity.key"))
        temporary.write("", to: "ada/data/state.json")
        #expect(try open().created == ["identity"])
    }

    @Test func anotherKeyIsToldByTheStartThatGoesOn() throws {
        try open().release()
        let other = PrivateKey.generate()
        try AtomicFile.write(IdentityFile.contents(of: other), to: folder.dataFolder + "/identity.key")
        let settings = try #require(temporary.read("ada/goop.json"))
        let broken = settings.replacing(/"nacl_public_key": "[^"]*"/) { _ in
            "\"nacl_public_key\": \"\(Base64.encode([UInt8](repeating: 1, count: 32)))\""
        }
        temporary.write(broken, to: "ada/goop.json")
        #expect(failure()?.kind == .configuration)
        temporary.write(settings, to: "ada/goop.json")
        let peer = try open()
        #expect(peer.notes.count == 1 && peer.notes[0].contains(other.peerID.base58))
    }

    /// What a damaged key's next step says, done: it must lead to a new peer.
    @Test func aDamagedIdentityThatIsMovedAwayMakesRoomForANewOne() throws {
        try open().release()
        let path = folder.path + "/data/identity.key"
        temporary.write("x", to: "ada/data/identity.key")
        #expect(failure()?.nextStep.hasSuffix("mv \(path) \(path).broken && rm \(folder.stateFile)") == true)
        rename(path, path + ".broken")
        unlink(folder.stateFile)
        #expect(try open().created == ["identity"])
    }

    /// Folders of upstream's program, and of this one before it remembered who a peer is.
    @Test func aFolderWithoutAMemoryGoesOnAsItDidAndRemembersFromThenOn() throws {
        let key = PrivateKey.generate()
        temporary.write("", to: "ada/data/x")
        try AtomicFile.write(IdentityFile.contents(of: key), to: folder.path + "/data/identity.key")
        try PeerState(listenPort: 4001).save(folder.stateFile)
        let peer = try open()
        peer.release()
        #expect(peer.identity.peerID == key.peerID && peer.notes == [])
        #expect(PeerState.load(folder.stateFile) == PeerState(listenPort: 4001, peerID: key.peerID))
        // The same without a key either: nobody knows that there was one.
        unlink(folder.path + "/data/identity.key")
        try PeerState(listenPort: 4001).save(folder.stateFile)
        let new = try open()
        new.release()
        #expect(new.created == ["identity"])
        unlink(folder.path + "/data/identity.key")
        #expect(failure()?.cause.contains("has been the peer \(new.identity.peerID)") == true)
    }

    @Test func anotherKeyIsTheOwnersDecisionAndIsTold() throws {
        let first = try open()
        first.release()
        let other = PrivateKey.generate()
        try AtomicFile.write(IdentityFile.contents(of: other), to: folder.path + "/data/identity.key")
        // A command that only looks tells nothing and remembers nothing.
        let looking = try open(creating: false)
        #expect(looking.notes == [] && PeerState.load(folder.stateFile).peerID == first.identity.peerID)
        looking.release()
        let second = try open()
        second.release()
        #expect(second.identity.peerID == other.peerID && second.notes.count == 1)
        #expect(second.notes.first?.contains("was \(first.identity.peerID) and is now \(other.peerID)") == true)
        #expect(try open().notes == [])
    }

    @Test func whatCannotBeRememberedStopsNoStart() throws {
        // A folder in the way.
        temporary.write("", to: "ada/data/state.json/x")
        let peer = try open()
        #expect(peer.created.contains("identity"))
        #expect(peer.notes.count == 1 && peer.notes.first?.contains("cannot be remembered") == true)
    }

    @Test func badSettingsStopTheStartAndStay() throws {
        try open().release()
        let text = "{\"p2p\":{\"listen_port\":99999}}"
        temporary.write(text, to: "ada/goop.json")
        #expect(failure()?.kind == .configuration)
        #expect(failure()?.cause.contains("p2p.listen_port: is 99999, not 0 to 65535") == true)
        #expect(temporary.read("ada/goop.json") == text)
    }

    @Test func filesThatOthersCouldReadAreProtectedAndUnknownKeysAreTold() throws {
        try open().release()
        temporary.write("{\"profil\":{}}", to: "ada/goop.json")
        chmod(folder.configurationFile, 0o644)
        let peer = try open()
        #expect(temporary.mode("ada/goop.json") == 0o600)
        #expect(peer.notes.count == 2)
        #expect(peer.notes.last?.contains("did you mean profile?") == true)
        // The pair of keys was added, and what the owner wrote is still there.
        #expect(
            temporary.read("ada/goop.json")?.hasPrefix("{\n  \"profil\": {},\n  \"p2p\": {\n    \"nacl_public_key\"")
                == true)
    }

    @Test func aPairOfSealingKeysThatDoesNotMatchIsTold() throws {
        let peer = try open()
        peer.release()
        var configuration = peer.configuration
        configuration.p2p.naclPublicKey = Base64.encode([UInt8](repeating: 1, count: 32))
        try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
        #expect(failure()?.kind == .configuration)
    }

    @Test func aPasswordInClearIsKeptAsItsHash() async throws {
        try open().release()
        var configuration = try GoopConfiguration(decoding: AtomicFile.read(folder.configurationFile, limit: 1 << 20))
        configuration.viewer.password = Secret("four words to keep")
        try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
        let peer = try open()
        peer.release()
        let kept = try #require(PasswordHash(peer.configuration.viewer.password.revealed))
        // Each comparison takes a second of a thread without optimisation; that a wrong one fails is tested more cheaply.
        #expect(kept.matches(Secret("four words to keep")))
        #expect(temporary.read("ada/goop.json")?.contains("four words") == false)
        #expect(temporary.mode("ada/goop.json") == 0o600)
        #expect(peer.notes.contains { $0.contains("viewer.password") && !$0.contains("four words") })
        // A hash stays as it is, and the Settings room keeps none in clear either.
        let again = try open()
        again.release()
        #expect(again.notes == [] && again.configuration.viewer.password == peer.configuration.viewer.password)
        let desk = desk(again.configuration)
        _ = try await desk.apply(["viewer.password": .string("another four words")], isOnlyCheck: false)
        #expect(temporary.read("ada/goop.json")?.contains("another four") == false)
        let changed = try GoopConfiguration(decoding: AtomicFile.read(folder.configurationFile, limit: 1 << 20))
        let next = try #require(PasswordHash(changed.viewer.password.revealed))
        #expect(next != kept)
    }

    private func desk(_ configuration: GoopConfiguration) -> NodeSettingsDesk {
        NodeSettingsDesk(
            file: folder.configurationFile, running: configuration,
            door: SiteDoor(configuration.siteAudience), visibility: Visibility(isHidden: false),
            own: OwnProfile(configuration.profile), preferences: LivePreferences(configuration.viewer))
    }

    /// However the folder was typed: as a path from elsewhere, or through a link.
    @Test func theSettingsTellWhereTheirFileIsFromTheRoot() async throws {
        try open().release()
        #expect(rename(temporary.path + "/ada", temporary.path + "/real") == 0)
        #expect(symlink("real", temporary.path + "/ada") == 0)
        let real = try #require(FolderPath.real(temporary.path + "/real"))
        #expect(try await desk(GoopConfiguration()).settings().file == real + "/goop.json")
    }

    @Test func theNextRunIsNotBegunIfItsOuterDoorWouldNotOpen() async throws {
        try open().release()
        var configuration = try GoopConfiguration(decoding: AtomicFile.read(folder.configurationFile, limit: 1 << 20))
        let restarter = NodeRestarter(settings: desk(configuration), folder: folder, isLocal: false)
        try await restarter.check()
        configuration.viewer.httpAddress = "0.0.0.0:8443"
        configuration.viewer.password = Secret(
            try #require(
                PasswordHash(
                    of: Secret("four words to keep"), salt: [UInt8](repeating: 7, count: 16),
                    cost: .init(logarithm: 12, blockSize: 8, passes: 1))
            ).description)
        configuration.viewer.tlsCertificate = "missing.pem"
        configuration.viewer.tlsKey = "missing.key"
        configuration.viewer.names = "me.example"
        try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
        await #expect {
            try await restarter.check()
        } throws: { error in
            "\(error)".contains("missing.key") && "\(error)".contains("viewer.tls_certificate")
                && !"\(error)".contains(PasswordHash.mark)
        }
        // A local peer has no such door, whatever the settings say.
        try await NodeRestarter(settings: desk(configuration), folder: folder, isLocal: true).check()
    }

    @Test func anExistingSiteIsLeftAlone() throws {
        temporary.write("mine", to: "ada/site/index.html")
        #expect(try open().created == ["settings", "identity"])
        #expect(temporary.read("ada/site/index.html") == "mine")
    }

    @Test func aFileInTheWayIsAFailure() {
        temporary.write("x", to: "ada")
        #expect(failure()?.cause.contains("a file has that name") == true)
    }

    @Test func writesReplaceWholeFilesAndLeaveNothingBehind() throws {
        let path = temporary.path + "/f"
        try AtomicFile.write(Array("one".utf8), to: path)
        try AtomicFile.write(Array("two".utf8), to: path)
        #expect(temporary.read("f") == "two")
        #expect(throws: FileFault.self) { try AtomicFile.create(Array("three".utf8), at: path) }
        symlink(path, temporary.path + "/l")
        try AtomicFile.write(Array("four".utf8), to: temporary.path + "/l")
        #expect(temporary.read("f") == "four")
        #expect(temporary.names() == ["f", "l"])
        #expect(throws: FileFault.self) { try AtomicFile.write([], to: temporary.path + "/missing/f") }
        #expect(throws: FileFault.self) { try AtomicFile.read(path, limit: 3) }
        #expect(throws: FileFault.self) { try AtomicFile.read(temporary.path, limit: 3) }
    }

    @Test func rememberedPorts() throws {
        let path = temporary.path + "/state.json"
        #expect(PeerState.load(path) == PeerState())
        try PeerState(listenPort: 4001, viewerPort: 8081).save(path)
        #expect(PeerState.load(path) == PeerState(listenPort: 4001, viewerPort: 8081))
        temporary.write("{\"listen_port\":-1,\"viewer_port\":\"x\",\"peer_id\":\"12D3\"}", to: "state.json")
        #expect(PeerState.load(path) == PeerState())
    }
}
