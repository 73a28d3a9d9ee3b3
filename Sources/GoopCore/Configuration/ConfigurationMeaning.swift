/// What each key means, in a sentence for its owner; docs/config.md says more.
enum ConfigurationMeaning {
    /// Keys that are kept and checked, but that nothing uses yet, say so.
    private static let later = "Kept and checked; nothing uses it yet. "

    static let of: [String: String] = [
        "identity.key_file":
            "The private key: who this peer is. Back it up. A damaged one stops the start, and so does a lost one.",
        "paths.site_root": "The folder that visitors see.",
        "paths.site_source": "Kept for upstream's editor; must differ from site_stage.",
        "paths.site_stage": "Kept for upstream's editor; must differ from site_source.",
        "p2p.listen_port": "TCP port for other peers, 0 to 65535. 0: one is chosen at first start and remembered.",
        "p2p.mdns_tag": "Only peers with the same tag find each other: 1 to 63 letters, digits, - or _.",
        "p2p.bridge_mode": later + "Needs presence.bridge_url.",
        "p2p.nacl_public_key": "The public half of the pair for sealed payloads.",
        "p2p.nacl_private_key": "The private half of the pair for sealed payloads. Remove both for a new pair.",
        "presence.topic": "Where presence is announced; peers on another topic do not see each other.",
        "presence.ttl_seconds": "Silence after which a peer counts as away, 1 to 86400.",
        "presence.heartbeat_seconds": "How often this peer says that it is there; below ttl_seconds.",
        "presence.invisible":
            "Nobody is told that you are here, and nobody finds you by looking; you still see and visit others. At once.",
        "presence.rendezvous_host": later + "Run a rendezvous server.",
        "presence.rendezvous_port": later + "The rendezvous server's port.",
        "presence.rendezvous_bind": later + "The address it listens on.",
        "presence.rendezvous_wan": later + "A rendezvous server on the internet: http:// or https:// with a host.",
        "presence.rendezvous_only": later + "Only the server, no peer; needs rendezvous_host.",
        "presence.admin_password": later + "Password of the server's pages.",
        "presence.peer_db_path": later + "Where the server keeps its peers.",
        "presence.external_url": later + "The server's address as others see it.",
        "presence.relay_port": later + "Port of a relay beside the server; 0 means none.",
        "presence.relay_ws_port": later + "The relay's WebSocket port; 0 means none.",
        "presence.relay_key_file": later + "The relay's private key.",
        "presence.relay_cleanup_delay_sec": later + "Seconds, told to the relay's peers.",
        "presence.relay_poll_deadline_sec": later + "Seconds, told to the relay's peers.",
        "presence.relay_connect_timeout_sec": later + "Seconds, told to the relay's peers.",
        "presence.relay_refresh_interval_sec": later + "Seconds, told to the relay's peers.",
        "presence.relay_recovery_grace_sec": later + "Seconds, told to the relay's peers.",
        "presence.use_services": later + "Whether the services below are used.",
        "presence.credits_url": later + "A service's address.",
        "presence.registration_url": later + "A service's address.",
        "presence.email_url": later + "A service's address.",
        "presence.templates_url": later + "A service's address.",
        "presence.bridge_url": later + "A service's address.",
        "presence.encryption_url": later + "A service's address.",
        "presence.templates_dir": later + "Folder of site templates.",
        "presence.credits_admin_token": later + "Secret towards that service.",
        "presence.registration_admin_token": later + "Secret towards that service.",
        "presence.templates_admin_token": later + "Secret towards that service.",
        "presence.bridge_admin_token": later + "Secret towards that service.",
        "presence.encryption_admin_token": later + "Secret towards that service.",
        "profile.label": "What others see. Keep it short.",
        "profile.email": "Told to nobody unless you tick the box below.",
        "profile.share_email": "It is also kept with what you write on somebody’s site.",
        "profile.verification_token": later + "Secret towards a registration service.",
        "profile.bridge_token": later + "Secret towards a bridge.",
        "viewer.http_addr":
            "Where this viewer is found. Empty: 127.0.0.1:8080 or the next free port. Or 127.0.0.1:PORT, or off. "
            + "With a password and a certificate or a trusted proxy: where other computers find it, e.g. 0.0.0.0:8443.",
        "viewer.password":
            "What other computers must know to use this viewer; at least 12 characters. It is kept as a hash only. "
            + "Clear it, the certificate and the proxies to let nobody in.",
        "viewer.tls_certificate":
            "File with the certificate and its chain (PEM), so that this viewer itself encrypts for other computers.",
        "viewer.tls_key": "File with the certificate's private key (PEM); no other user may read it.",
        "viewer.trusted_proxies":
            "IP addresses of the web server in front of this viewer that does the encryption, between commas. "
            + "Then nobody else may connect to http_addr.",
        "viewer.names":
            "What the browsers of other computers show in their address bar, between commas: names or IP addresses, "
            + "with :PORT if it is not the usual one. Requests for any other name are refused.",
        "viewer.debug": later + "More words for support.",
        "viewer.theme":
            "The colours of these pages. In effect with the next page.",
        "viewer.preferred_cam": later + "Camera for calls.",
        "viewer.preferred_mic": later + "Microphone for calls.",
        "viewer.video_disabled": "Told to other peers: no calls with pictures.",
        "viewer.hide_unverified":
            "Leave out of the list of people whom no rendezvous server vouches for, unless you named them or made them "
            + "favourites. No server does so far. In effect with the next page.",
        "viewer.active_template": "Told to other peers: the template your site is made from.",
        "viewer.open_sites_external":
            "For sites that are opened from the list of people. In effect with the next page.",
        "viewer.splash": later + "A picture.",
        "viewer.peer_offline_grace_min":
            "Minutes that somebody who is away stays in the list, 1 to 60. Favourites stay.",
        "viewer.cluster_binary_path": later + "A program for shared work.",
        "viewer.cluster_binary_mode": later + "How that program is run.",
        "lua.enabled": later + "Run the site's scripts.",
        "lua.script_dir": "The scripts' folder; never shown to visitors.",
        "lua.timeout_seconds": later + "Seconds that a script may take, 1 to 60.",
        "lua.max_memory_mb": later + "Memory of a script, 1 to 1024 MB.",
        "lua.rate_limit_per_peer": later + "Calls of one visitor in a minute.",
        "lua.rate_limit_global": later + "Calls of all visitors in a minute.",
        "lua.http_enabled": later + "Whether scripts may load from the web.",
        "lua.kv_enabled": later + "Whether scripts may keep values.",
        "data.durability":
            "full: what was accepted survives a power cut. normal: faster, survives a crash of the program.",
        "data.visitor_rows": "The most rows that one visitor may add to your tables. In effect at once.",
        "data.visitor_megabytes": "The most space that one visitor's rows may take, in megabytes. In effect at once.",
        "data.visitor_row_kilobytes":
            "The largest row that a visitor may write, in kilobytes, 1 to 1024. In effect at once.",
        "data.total_megabytes":
            "The most space that the rows of all visitors may take, and what they add to yours, in megabytes. In effect at once.",
        "site.audience":
            "everyone: whoever comes sees your site. named: only the peers of site.guests do. In effect at once.",
        "site.guests": "The ids of the peers that see your site when site.audience is named. In effect at once.",
    ]
}
