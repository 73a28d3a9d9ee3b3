/// The settings of one peer: the file `goop.json` of its folder, decoded over the defaults.
///
/// Keys that this version does not know stay in the file, in their place; so do the order and the spelling of those that
/// it does. Every key is described in docs/config.md; upstream's peer reference, section 1, is the source.
public struct GoopConfiguration: Sendable, Hashable {
    /// The name of the file in the peer's folder.
    public static let fileName = "goop.json"
    /// The largest file that is read, in bytes.
    public static let maximumFileBytes = 1 << 20

    /// Keys under `identity`.
    public struct Identity: Sendable, Hashable {
        /// `key_file`.
        public var keyFile = "data/identity.key"
    }

    /// Keys under `paths`. Relative paths start at the peer's folder.
    public struct Paths: Sendable, Hashable {
        /// `site_root`.
        public var siteRoot = "site"
        /// `site_source`.
        public var siteSource = "site/src"
        /// `site_stage`.
        public var siteStage = "site/stage"
    }

    /// Keys under `p2p`.
    public struct P2P: Sendable, Hashable {
        /// The tag whose peers talk to upstream peers too.
        public static let defaultTag = "goop-mdns"
        /// `listen_port`: 0: one is chosen at first start and remembered.
        public var listenPort = 0
        /// `mdns_tag`.
        public var mdnsTag = P2P.defaultTag
        /// `bridge_mode`.
        public var bridgeMode = false
        /// `nacl_public_key`: Standard base64 of 32 bytes, or empty.
        public var naclPublicKey = ""
        /// `nacl_private_key`: Standard base64 of 32 bytes, or empty.
        public var naclPrivateKey = Secret("")
    }

    /// Keys under `presence`.
    public struct Presence: Sendable, Hashable {
        /// `topic`.
        public var topic = "goop.presence.v1"
        /// `ttl_seconds`.
        public var ttlSeconds = 20
        /// `heartbeat_seconds`.
        public var heartbeatSeconds = 5
        /// `invisible`: nobody is told that this peer is here; ours, not upstream's.
        public var invisible = false
        /// `rendezvous_host`.
        public var rendezvousHost = false
        /// `rendezvous_port`.
        public var rendezvousPort = 8787
        /// `rendezvous_bind`.
        public var rendezvousBind = "127.0.0.1"
        /// `rendezvous_wan`.
        public var rendezvousWAN = ""
        /// `rendezvous_only`.
        public var rendezvousOnly = false
        /// `admin_password`.
        public var adminPassword = Secret("")
        /// `peer_db_path`.
        public var peerDatabasePath = ""
        /// `external_url`.
        public var externalURL = ""
        /// `relay_port`.
        public var relayPort = 0
        /// `relay_ws_port`.
        public var relayWebSocketPort = 0
        /// `relay_key_file`.
        public var relayKeyFile = "data/relay.key"
        /// `relay_cleanup_delay_sec`.
        public var relayCleanupDelaySeconds = 3
        /// `relay_poll_deadline_sec`.
        public var relayPollDeadlineSeconds = 10
        /// `relay_connect_timeout_sec`.
        public var relayConnectTimeoutSeconds = 5
        /// `relay_refresh_interval_sec`.
        public var relayRefreshIntervalSeconds = 90
        /// `relay_recovery_grace_sec`.
        public var relayRecoveryGraceSeconds = 5
        /// `use_services`.
        public var useServices = false
        /// `credits_url`.
        public var creditsURL = ""
        /// `registration_url`.
        public var registrationURL = ""
        /// `email_url`.
        public var emailURL = ""
        /// `templates_url`.
        public var templatesURL = ""
        /// `bridge_url`.
        public var bridgeURL = ""
        /// `encryption_url`.
        public var encryptionURL = ""
        /// `templates_dir`.
        public var templatesDirectory = ""
        /// `credits_admin_token`.
        public var creditsAdminToken = Secret("")
        /// `registration_admin_token`.
        public var registrationAdminToken = Secret("")
        /// `templates_admin_token`.
        public var templatesAdminToken = Secret("")
        /// `bridge_admin_token`.
        public var bridgeAdminToken = Secret("")
        /// `encryption_admin_token`.
        public var encryptionAdminToken = Secret("")
    }

    /// Keys under `profile`.
    public struct Profile: Sendable, Hashable {
        /// `label`.
        public var label = "hello"
        /// `email`.
        public var email = ""
        /// `share_email`: Whether `email` is sent to the other peers; ours, not upstream's.
        public var shareEmail = false
        /// `verification_token`.
        public var verificationToken = Secret("")
        /// `bridge_token`.
        public var bridgeToken = Secret("")

        /// The e-mail address that the other peers are told: empty unless the owner chose to share it.
        public var sharedEmail: String { shareEmail ? email : "" }
    }

    /// Keys under `viewer`.
    public struct Viewer: Sendable, Hashable {
        /// `http_addr`.
        public var httpAddress = ""
        /// `password`: in clear, or what a start has made of it; ours, not upstream's.
        public var password = Secret("")
        /// `tls_certificate`: a PEM file, or empty; ours.
        public var tlsCertificate = ""
        /// `tls_key`: a PEM file, or empty; ours.
        public var tlsKey = ""
        /// `trusted_proxies`: IP addresses and prefixes between commas; ours.
        public var trustedProxies = ""
        /// `names`: host names between commas; ours.
        public var names = ""
        /// `debug`.
        public var debug = false
        /// `theme`: a word of `ViewerTheme`; upstream's default is `dark`.
        public var theme = ViewerTheme.auto.rawValue
        /// `preferred_cam`.
        public var preferredCamera = ""
        /// `preferred_mic`.
        public var preferredMicrophone = ""
        /// `video_disabled`.
        public var videoDisabled = false
        /// `hide_unverified`.
        public var hideUnverified = false
        /// `active_template`.
        public var activeTemplate = ""
        /// `open_sites_external`.
        public var openSitesExternal = false
        /// `splash`.
        public var splash = "goop2-splash2.png"
        /// `peer_offline_grace_min`.
        public var peerOfflineGraceMinutes = 15
        /// `cluster_binary_path`.
        public var clusterBinaryPath = ""
        /// `cluster_binary_mode`.
        public var clusterBinaryMode = ""
    }

    /// Keys under `lua`.
    public struct Lua: Sendable, Hashable {
        /// `enabled`.
        public var enabled = false
        /// `script_dir`.
        public var scriptDirectory = "site/lua"
        /// `timeout_seconds`.
        public var timeoutSeconds = 5
        /// `max_memory_mb`.
        public var maximumMemoryMegabytes = 10
        /// `rate_limit_per_peer`.
        public var rateLimitPerPeer = 30
        /// `rate_limit_global`.
        public var rateLimitGlobal = 120
        /// `http_enabled`.
        public var httpEnabled = true
        /// `kv_enabled`.
        public var kvEnabled = true
    }

    /// Keys under `data`; ours, not upstream's.
    public struct Tables: Sendable, Hashable {
        /// `durability`: `full` or `normal`.
        public var durability = "full"
        /// `visitor_rows`: rows of one visitor in all tables.
        public var visitorRows = 10_000
        /// `visitor_megabytes`: size of the rows of one visitor.
        public var visitorMegabytes = 16
        /// `visitor_row_kilobytes`: size of one row that a visitor makes or changes.
        public var visitorRowKilobytes = 64
        /// `total_megabytes`: size of the rows of all visitors.
        public var totalMegabytes = 1024
    }

    /// Keys under `site`; ours, not upstream's.
    public struct Site: Sendable, Hashable {
        /// `audience`: `everyone` or `named`.
        public var audience = SiteAudience.Name.everyone.rawValue
        /// `guests`: ids of peers.
        public var guests: [String] = []
    }

    /// The section `identity`.
    public var identity = Identity()
    /// The section `paths`.
    public var paths = Paths()
    /// The section `p2p`.
    public var p2p = P2P()
    /// The section `presence`.
    public var presence = Presence()
    /// The section `profile`.
    public var profile = Profile()
    /// The section `viewer`.
    public var viewer = Viewer()
    /// The section `lua`.
    public var lua = Lua()
    /// The section `data`.
    public var data = Tables()
    /// The section `site`.
    public var site = Site()

    /// The file as it was read, which is what a save starts from.
    var document = JSONObject()

    /// Makes the defaults.
    public init() {}

    /// What a new peer's file holds: the keys an owner is likely to change, and the label.
    public static func starter(label: String) -> GoopConfiguration {
        var configuration = GoopConfiguration()
        configuration.document = [
            "profile": ["label": .string(label), "email": .string(""), "share_email": .bool(false)],
            "viewer": ["http_addr": .string("")],
            "p2p": ["listen_port": .integer(0), "mdns_tag": .string(P2P.defaultTag)],
        ]
        configuration.profile.label = label
        return configuration
    }
}

extension GoopConfiguration {
    /// The GossipSub topic of the presence messages: `presence.topic` itself for the default tag, which upstream peers
    /// share; for any other tag that tag is added, so that no third peer's gossip joins two clusters.
    public var presenceTopic: String {
        p2p.mdnsTag == P2P.defaultTag ? presence.topic : presence.topic + "/" + p2p.mdnsTag
    }

    /// How long an offline peer stays listed: `viewer.peer_offline_grace_min` if it is 1 to 60, else 15 minutes.
    public var offlineGrace: Duration {
        .seconds(60 * ((1...60).contains(viewer.peerOfflineGraceMinutes) ? viewer.peerOfflineGraceMinutes : 15))
    }

    /// The e-mail address that the other peers are told; see `Profile`.
    public var sharedEmail: String { profile.sharedEmail }

    /// Folders under the site's root that are not served: `lua`, and the script folder where it is one of them.
    public var hiddenSiteFolders: [[String]] {
        let root = GoopConfiguration.names(of: paths.siteRoot)
        let scripts = GoopConfiguration.names(of: lua.scriptDirectory)
        guard scripts.count > root.count, scripts.starts(with: root), scripts != root + ["lua"] else {
            return SitePath.alwaysHidden
        }
        return SitePath.alwaysHidden + [Array(scripts.dropFirst(root.count))]
    }

    /// The names of a path, cleaned of `.`, `..` and empty ones.
    static func names(of path: String) -> [String] {
        var names: [String] = path.utf8.first == UInt8(ascii: "/") ? ["/"] : []
        for name in SitePath.names(in: path) where name != "." {
            if name == "..", let last = names.last, last != "..", last != "/" {
                names.removeLast()
            } else {
                names.append(name)
            }
        }
        return names
    }
}
