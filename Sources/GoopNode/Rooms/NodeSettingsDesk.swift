import GoopCore
import GoopHTTP
import GoopStore
import PeerIdentity

/// Reads and writes `goop.json` of the running peer's folder. One at a time, so no save is lost.
///
/// Keys that can take effect while the peer runs do so with the save: name and e-mail address, the audience of the site,
/// invisibility, how the viewer's pages are, what visitors may fill, the password of the viewer's outer door, and what closes that door.
actor NodeSettingsDesk: SettingsDesk {
    private let file: String
    /// What the peer works with: as it was started, and what has taken effect since.
    private var running: GoopConfiguration
    private let door: SiteDoor
    private let visibility: Visibility
    private let own: OwnProfile
    private let preferences: LivePreferences
    private let tables: SiteTables?
    /// Of the viewer's outer door, if there is one.
    private let lock: OuterLock?

    init(
        file: String, running: GoopConfiguration, door: SiteDoor, visibility: Visibility, own: OwnProfile,
        preferences: LivePreferences, tables: SiteTables? = nil, lock: OuterLock? = nil
    ) {
        self.file = file
        self.running = running
        self.door = door
        self.visibility = visibility
        self.own = own
        self.preferences = preferences
        self.tables = tables
        self.lock = lock
    }

    func settings() async throws(ConfigurationError) -> SettingsSheet { sheet(try read()) }

    /// What the next start finds.
    func stored() throws(ConfigurationError) -> GoopConfiguration { try read() }

    func apply(_ changes: [String: JSONValue], isOnlyCheck: Bool) async throws(ConfigurationError) -> SettingsSheet {
        var configuration = try read()
        try configuration.apply(changes)
        if let problem = PeerFolder(FolderPath.parent(of: file)).secretInTheSite(configuration) {
            throw ConfigurationError(problems: [problem])
        }
        if !isOnlyCheck {
            _ = ViewerPassword.conceal(in: &configuration)
            do throws(FileFault) { try AtomicFile.write(configuration.encoded(), to: file) } catch {
                throw problem("it could not be written: \(error)", "check the disk and the file's permissions")
            }
            takeEffect(configuration)
        }
        var sheet = sheet(configuration)
        if isOnlyCheck, sheet.outerDoor == .open, takesDoorAway(configuration) { sheet.outerDoor = .closing }
        return sheet
    }

    // MARK: The audience

    /// To whom the site is shown, and who is named.
    var audience: AudienceSheet { AudienceSheet(name: running.siteAudience.name, guests: running.siteGuests) }

    /// In effect at once, and in the file when it returns.
    func decide(_ decision: AudienceDecision, owner: PeerID) async throws(AudienceError) -> AudienceSheet {
        var configuration = running
        var stored: GoopConfiguration?
        do throws(ConfigurationError) { stored = try read() } catch {
            // In effect all the same: nobody stays in because of a fault elsewhere in the file.
        }
        do throws(AudienceRefusal) {
            if case .revoke(let peers) = decision {
                // A file that was edited names others than this run does. One list is enough to be let in: now, or after a start.
                let named = Set(configuration.siteGuests + (stored?.siteGuests ?? []))
                if let other = peers.first(where: { !named.contains($0) }) { throw AudienceRefusal.notNamed(other) }
            }
            try configuration.decide(configuration.part(of: decision), owner: owner)
            if let part = stored?.part(of: decision) { try stored?.decide(part, owner: owner) }
        } catch {
            throw AudienceError(message: "\(error)")
        }
        takeEffect(configuration)
        guard let stored else {
            throw AudienceError(
                message: "in effect, but \(file) is no valid settings file and was not changed", isStored: false)
        }
        do throws(FileFault) { try AtomicFile.write(stored.encoded(), to: file) } catch {
            throw AudienceError(message: "in effect, but it could not be stored: \(error)", isStored: false)
        }
        return audience
    }

    private func takeEffect(_ configuration: GoopConfiguration) {
        running.site = configuration.site
        running.presence.invisible = configuration.presence.invisible
        door.open(to: running.siteAudience)
        visibility.set(hidden: running.presence.invisible)
        running.profile.label = configuration.profile.label
        running.profile.email = configuration.profile.email
        running.profile.shareEmail = configuration.profile.shareEmail
        own.set(running.profile)
        running.viewer.theme = configuration.viewer.theme
        running.viewer.hideUnverified = configuration.viewer.hideUnverified
        running.viewer.openSitesExternal = configuration.viewer.openSitesExternal
        preferences.set(running.viewer)
        if let tables {
            running.data.visitorRows = configuration.data.visitorRows
            running.data.visitorMegabytes = configuration.data.visitorMegabytes
            running.data.visitorRowKilobytes = configuration.data.visitorRowKilobytes
            running.data.totalMegabytes = configuration.data.totalMegabytes
            tables.limit(to: VisitorQuota(running.data))
            tables.setOwnerEmail(running.sharedEmail)
        }
        guard let lock, !lock.isShut else { return }
        let password = configuration.viewer.password
        if takesDoorAway(configuration) {
            lock.shut()
            forgetDoor(next: configuration.viewer)
        } else if password != running.viewer.password, let hash = ViewerPassword.hash(password) {
            running.viewer.password = password
            lock.change(to: hash)
        }
    }

    /// Whether settings say that nobody, or not in this way, is to come in from other computers.
    private func takesDoorAway(_ configuration: GoopConfiguration) -> Bool {
        // Both have been validated; what cannot be read opens nothing.
        guard let door = (try? ViewerReach(running.viewer))?.outer else { return false }
        return door.isTakenAway(by: (try? ViewerReach(configuration.viewer))?.outer)
    }

    /// This run goes on as one without an outer door, so that whatever would open one again waits for the next.
    private func forgetDoor(next: GoopConfiguration.Viewer) {
        // Beside an outer door the inner one has its automatic port, whatever the key says.
        running.viewer.httpAddress = ""
        running.viewer.names = next.names
        let opensAgain = (try? ViewerReach(next))?.outer != nil
        let closed = opensAgain ? GoopConfiguration().viewer : next
        running.viewer.tlsCertificate = closed.tlsCertificate
        running.viewer.tlsKey = closed.tlsKey
        running.viewer.trustedProxies = closed.trustedProxies
        running.viewer.password = closed.password
    }

    private func read() throws(ConfigurationError) -> GoopConfiguration {
        let bytes: [UInt8]
        do throws(FileFault) {
            bytes = try AtomicFile.read(file, limit: GoopConfiguration.maximumFileBytes)
        } catch {
            throw problem("it could not be read: \(error)", "check that the file is there")
        }
        return try GoopConfiguration(decoding: bytes)
    }

    private func problem(_ cause: String, _ step: String) -> ConfigurationError {
        ConfigurationError(problems: [ConfigurationProblem(key: nil, cause: cause, nextStep: step)])
    }

    private func sheet(_ configuration: GoopConfiguration) -> SettingsSheet {
        SettingsSheet(
            settings: configuration.settings, waitingForRestart: configuration.differences(from: running),
            file: FolderPath.plain(FolderPath.parent(of: file)) + "/" + FolderPath.lastName(of: file),
            notes: configuration.unknownKeys.prefix(20).map(\.description),
            outerDoor: lock.map { $0.isShut ? .shut : .open } ?? .none)
    }
}
