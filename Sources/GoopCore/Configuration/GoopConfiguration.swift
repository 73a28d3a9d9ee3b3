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
        public var keyFile = "data/identity.key"
    }

    /// Keys under `paths`. Relative paths start at the peer's folder.
    public struct Paths: Sendable, Hashable {
        public var siteRoot = "site"
        public var siteSource = "site/src"
        public var siteStage = "site/stage"
    }

    /// Keys under `p2p`.
    public struct P2P: Sendable, Hashable {
        /// The tag whose peers talk to upstream peers too.
        public static let defaultTag = "goop-mdns"
        /// 0: one is chosen at first start and remembered.
        public var listenPort = 0
        public var mdnsTag = P2P.defaultTag
        public var bridgeMode = false
        /// Standard base64 of 32 bytes, or empty.
        public var naclPublicKey = ""
        /// Standard base64 of 32 bytes, or empty.
        public var naclPrivateKey = Secret("")
    }

    /// Keys under `presence`.
    public struct Presence: Sendable, Hashable {
        public var topic = "goop.presence.v1"
        public var ttlSeconds = 20
        public var heartbeatSeconds = 5
        public var rendezvousHost = false
        public var rendezvousPort = 8787
        public var rendezvousBind = "127.0.0.1"
        public var rendezvousWAN = ""
        public var rendezvousOnly = false
        public var adminPassword = Secret("")
        public var peerDatabasePath = ""
        public var externalURL = ""
        public var relayPort = 0
        public var relayWebSocketPort = 0
        public var relayKeyFile = "data/relay.key"
        public var relayCleanupDelaySeconds = 3
        public var relayPollDeadlineSeconds = 10
        public var relayConnectTimeoutSeconds = 5
        public var relayRefreshIntervalSeconds = 90
        public var relayRecoveryGraceSeconds = 5
        public var useServices = false
        public var creditsURL = ""
        public var registrationURL = ""
        public var emailURL = ""
        public var templatesURL = ""
        public var bridgeURL = ""
        public var encryptionURL = ""
        public var templatesDirectory = ""
        public var creditsAdminToken = Secret("")
        public var registrationAdminToken = Secret("")
        public var templatesAdminToken = Secret("")
        public var bridgeAdminToken = Secret("")
        public var encryptionAdminToken = Secret("")
    }

    /// Keys under `profile`.
    public struct Profile: Sendable, Hashable {
        public var label = "hello"
        public var email = ""
        /// Whether `email` is sent to the other peers; ours, not upstream's.
        public var shareEmail = false
        public var verificationToken = Secret("")
        public var bridgeToken = Secret("")
    }

    /// Keys under `viewer`.
    public struct Viewer: Sendable, Hashable {
        public var httpAddress = ""
        public var debug = false
        public var theme = "dark"
        public var preferredCamera = ""
        public var preferredMicrophone = ""
        public var videoDisabled = false
        public var hideUnverified = false
        public var activeTemplate = ""
        public var openSitesExternal = false
        public var splash = "goop2-splash2.png"
        public var peerOfflineGraceMinutes = 15
        public var clusterBinaryPath = ""
        public var clusterBinaryMode = ""
    }

    /// Keys under `lua`.
    public struct Lua: Sendable, Hashable {
        public var enabled = false
        public var scriptDirectory = "site/lua"
        public var timeoutSeconds = 5
        public var maximumMemoryMegabytes = 10
        public var rateLimitPerPeer = 30
        public var rateLimitGlobal = 120
        public var httpEnabled = true
        public var kvEnabled = true
    }

    public var identity = Identity()
    public var paths = Paths()
    public var p2p = P2P()
    public var presence = Presence()
    public var profile = Profile()
    public var viewer = Viewer()
    public var lua = Lua()

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

    /// The e-mail address that the other peers are told: empty unless the owner chose to share it.
    public var sharedEmail: String { profile.shareEmail ? profile.email : "" }

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
        var names: [String] = path.hasPrefix("/") ? ["/"] : []
        for name in path.split(separator: "/") where name != "." {
            if name == "..", let last = names.last, last != "..", last != "/" {
                names.removeLast()
            } else {
                names.append(String(name))
            }
        }
        return names
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    /// Makes an object with these members in this order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(members: elements.map { .init(name: $0.0, value: $0.1) }))
    }
}
