/// One key of `goop.json`: where it stands in the file and in `GoopConfiguration`.
struct ConfigurationField: Sendable {
    /// Section and name, joined by a dot.
    let key: String
    let section: String
    let name: String
    /// What kind of value the file must hold, with its article.
    let kind: String
    /// True for a value that no page may hold.
    let isSecret: Bool
    /// The words that a page may choose among; empty: any text. A file may hold others, if it comes from elsewhere.
    let choices: [String]
    let read: @Sendable (GoopConfiguration) -> JSONValue
    /// Takes over a value; false if it is of another kind.
    let write: @Sendable (inout GoopConfiguration, JSONValue) -> Bool

    private init(
        _ key: String, kind: String, isSecret: Bool = false, choices: [String] = [],
        read: @escaping @Sendable (GoopConfiguration) -> JSONValue,
        write: @escaping @Sendable (inout GoopConfiguration, JSONValue) -> Bool
    ) {
        self.key = key
        let dot = key.firstIndex(of: ".") ?? key.endIndex
        self.section = String(key[..<dot])
        self.name = String(key[dot...].dropFirst())
        self.kind = kind
        self.isSecret = isSecret
        self.choices = choices
        self.read = read
        self.write = write
    }

    private typealias Path<Value> = any WritableKeyPath<GoopConfiguration, Value> & Sendable

    private static func text(
        _ key: String, _ path: Path<String>, choices: [String] = []
    ) -> ConfigurationField {
        ConfigurationField(
            key, kind: "a text", choices: choices, read: { .string($0[keyPath: path]) }
        ) { configuration, value in
            guard let text = value.string else { return false }
            configuration[keyPath: path] = text
            return true
        }
    }

    private static func secret(_ key: String, _ path: Path<Secret>) -> ConfigurationField {
        ConfigurationField(
            key, kind: "a text", isSecret: true, read: { .string($0[keyPath: path].revealed) }
        ) { configuration, value in
            guard let text = value.string else { return false }
            configuration[keyPath: path] = Secret(text)
            return true
        }
    }

    private static func flag(_ key: String, _ path: Path<Bool>) -> ConfigurationField {
        ConfigurationField(key, kind: "true or false", read: { .bool($0[keyPath: path]) }) { configuration, value in
            guard let flag = value.bool else { return false }
            configuration[keyPath: path] = flag
            return true
        }
    }

    private static func texts(_ key: String, _ path: Path<[String]>) -> ConfigurationField {
        ConfigurationField(
            key, kind: "a list of texts", read: { .array($0[keyPath: path].map { .string($0) }) }
        ) { configuration, value in
            guard let values = value.array else { return false }
            let texts = values.compactMap(\.string)
            guard texts.count == values.count else { return false }
            configuration[keyPath: path] = texts
            return true
        }
    }

    private static func number(_ key: String, _ path: Path<Int>) -> ConfigurationField {
        ConfigurationField(key, kind: "a whole number", read: { .integer($0[keyPath: path]) }) { configuration, value in
            guard let number = value.int64, let exact = Int(exactly: number) else { return false }
            configuration[keyPath: path] = exact
            return true
        }
    }

    /// Every key, in the order in which new ones are written.
    static let all: [ConfigurationField] = [
        text("identity.key_file", \.identity.keyFile),
        text("paths.site_root", \.paths.siteRoot),
        text("paths.site_source", \.paths.siteSource),
        text("paths.site_stage", \.paths.siteStage),
        number("p2p.listen_port", \.p2p.listenPort),
        text("p2p.mdns_tag", \.p2p.mdnsTag),
        flag("p2p.bridge_mode", \.p2p.bridgeMode),
        text("p2p.nacl_public_key", \.p2p.naclPublicKey),
        secret("p2p.nacl_private_key", \.p2p.naclPrivateKey),
        text("presence.topic", \.presence.topic),
        number("presence.ttl_seconds", \.presence.ttlSeconds),
        number("presence.heartbeat_seconds", \.presence.heartbeatSeconds),
        flag("presence.invisible", \.presence.invisible),
        flag("presence.rendezvous_host", \.presence.rendezvousHost),
        number("presence.rendezvous_port", \.presence.rendezvousPort),
        text("presence.rendezvous_bind", \.presence.rendezvousBind),
        text("presence.rendezvous_wan", \.presence.rendezvousWAN),
        flag("presence.rendezvous_only", \.presence.rendezvousOnly),
        secret("presence.admin_password", \.presence.adminPassword),
        text("presence.peer_db_path", \.presence.peerDatabasePath),
        text("presence.external_url", \.presence.externalURL),
        number("presence.relay_port", \.presence.relayPort),
        number("presence.relay_ws_port", \.presence.relayWebSocketPort),
        text("presence.relay_key_file", \.presence.relayKeyFile),
        number("presence.relay_cleanup_delay_sec", \.presence.relayCleanupDelaySeconds),
        number("presence.relay_poll_deadline_sec", \.presence.relayPollDeadlineSeconds),
        number("presence.relay_connect_timeout_sec", \.presence.relayConnectTimeoutSeconds),
        number("presence.relay_refresh_interval_sec", \.presence.relayRefreshIntervalSeconds),
        number("presence.relay_recovery_grace_sec", \.presence.relayRecoveryGraceSeconds),
        flag("presence.use_services", \.presence.useServices),
        text("presence.credits_url", \.presence.creditsURL),
        text("presence.registration_url", \.presence.registrationURL),
        text("presence.email_url", \.presence.emailURL),
        text("presence.templates_url", \.presence.templatesURL),
        text("presence.bridge_url", \.presence.bridgeURL),
        text("presence.encryption_url", \.presence.encryptionURL),
        text("presence.templates_dir", \.presence.templatesDirectory),
        secret("presence.credits_admin_token", \.presence.creditsAdminToken),
        secret("presence.registration_admin_token", \.presence.registrationAdminToken),
        secret("presence.templates_admin_token", \.presence.templatesAdminToken),
        secret("presence.bridge_admin_token", \.presence.bridgeAdminToken),
        secret("presence.encryption_admin_token", \.presence.encryptionAdminToken),
        text("profile.label", \.profile.label),
        text("profile.email", \.profile.email),
        flag("profile.share_email", \.profile.shareEmail),
        secret("profile.verification_token", \.profile.verificationToken),
        secret("profile.bridge_token", \.profile.bridgeToken),
        text("viewer.http_addr", \.viewer.httpAddress),
        secret("viewer.password", \.viewer.password),
        text("viewer.tls_certificate", \.viewer.tlsCertificate),
        text("viewer.tls_key", \.viewer.tlsKey),
        text("viewer.trusted_proxies", \.viewer.trustedProxies),
        text("viewer.names", \.viewer.names),
        flag("viewer.debug", \.viewer.debug),
        text("viewer.theme", \.viewer.theme, choices: ViewerTheme.allCases.map(\.rawValue)),
        text("viewer.preferred_cam", \.viewer.preferredCamera),
        text("viewer.preferred_mic", \.viewer.preferredMicrophone),
        flag("viewer.video_disabled", \.viewer.videoDisabled),
        flag("viewer.hide_unverified", \.viewer.hideUnverified),
        text("viewer.active_template", \.viewer.activeTemplate),
        flag("viewer.open_sites_external", \.viewer.openSitesExternal),
        text("viewer.splash", \.viewer.splash),
        number("viewer.peer_offline_grace_min", \.viewer.peerOfflineGraceMinutes),
        text("viewer.cluster_binary_path", \.viewer.clusterBinaryPath),
        text("viewer.cluster_binary_mode", \.viewer.clusterBinaryMode),
        flag("lua.enabled", \.lua.enabled),
        text("lua.script_dir", \.lua.scriptDirectory),
        number("lua.timeout_seconds", \.lua.timeoutSeconds),
        number("lua.max_memory_mb", \.lua.maximumMemoryMegabytes),
        number("lua.rate_limit_per_peer", \.lua.rateLimitPerPeer),
        number("lua.rate_limit_global", \.lua.rateLimitGlobal),
        flag("lua.http_enabled", \.lua.httpEnabled),
        flag("lua.kv_enabled", \.lua.kvEnabled),
        text("data.durability", \.data.durability, choices: ["full", "normal"]),
        number("data.visitor_rows", \.data.visitorRows),
        number("data.visitor_megabytes", \.data.visitorMegabytes),
        number("data.visitor_row_kilobytes", \.data.visitorRowKilobytes),
        number("data.total_megabytes", \.data.totalMegabytes),
        text("site.audience", \.site.audience),
        texts("site.guests", \.site.guests),
    ]
}
