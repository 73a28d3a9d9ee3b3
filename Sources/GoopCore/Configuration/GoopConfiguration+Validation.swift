import Multiformats
import PeerIdentity

extension GoopConfiguration {
    /// Every rule that the settings break; empty if they can be used.
    public func validate() -> [ConfigurationProblem] {
        validateCommon() + validatePresence() + validateViewer() + validateLua() + validateData() + validateSite()
    }

    private func validateCommon() -> [ConfigurationProblem] {
        var problems = Problems()
        problems.requireText("identity.key_file", identity.keyFile, example: "data/identity.key")
        problems.requireText("paths.site_root", paths.siteRoot, example: "site")
        problems.requireText("paths.site_source", paths.siteSource, example: "site/src")
        problems.requireText("paths.site_stage", paths.siteStage, example: "site/stage")
        if GoopConfiguration.names(of: paths.siteSource) == GoopConfiguration.names(of: paths.siteStage) {
            problems.add("paths.site_stage", "is the same folder as paths.site_source", "name another folder")
        }
        problems.require("p2p.listen_port", p2p.listenPort, in: 0...65_535, hint: "0 lets the system choose one")
        if !GoopConfiguration.isTag(p2p.mdnsTag) {
            problems.add(
                "p2p.mdns_tag", "must be 1 to 63 letters, digits, '-' or '_'", "use for example \"\(P2P.defaultTag)\"")
        }
        if p2p.bridgeMode, isBlank(presence.bridgeURL) {
            problems.add("p2p.bridge_mode", "needs presence.bridge_url", "set that key, or set this one to false")
        }
        problems.requireKey("p2p.nacl_public_key", p2p.naclPublicKey)
        problems.requireKey("p2p.nacl_private_key", p2p.naclPrivateKey.revealed)
        problems.requireSize("profile.label", profile.label, limit: PresenceMessage.Limit.contentBytes)
        problems.requireSize("profile.email", profile.email, limit: PresenceMessage.Limit.emailBytes)
        problems.requireSize(
            "viewer.active_template", viewer.activeTemplate, limit: PresenceMessage.Limit.shortTextBytes)
        return problems.found
    }

    private func validatePresence() -> [ConfigurationProblem] {
        var problems = Problems()
        problems.requireText("presence.topic", presence.topic, example: "goop.presence.v1")
        problems.requireSize("presence.topic", presence.topic, limit: 128)
        problems.require("presence.ttl_seconds", presence.ttlSeconds, in: 1...86_400, hint: "20 is usual")
        problems.require("presence.heartbeat_seconds", presence.heartbeatSeconds, in: 1...86_400, hint: "5 is usual")
        if presence.heartbeatSeconds >= presence.ttlSeconds {
            problems.add(
                "presence.heartbeat_seconds",
                "is \(presence.heartbeatSeconds), not below presence.ttl_seconds, which is \(presence.ttlSeconds)",
                "make it a quarter of that")
        }
        if presence.rendezvousHost {
            problems.require("presence.rendezvous_port", presence.rendezvousPort, in: 1...65_535, hint: "8787 is usual")
            if !presence.rendezvousBind.isEmpty, IPAddress(presence.rendezvousBind) == nil {
                problems.add("presence.rendezvous_bind", "is no IP address", "use for example \"127.0.0.1\"")
            }
        }
        if let fault = GoopConfiguration.faultOfServer(presence.rendezvousWAN) {
            problems.add(
                "presence.rendezvous_wan", fault, "use for example \"https://rv.example.org\", or leave it empty")
        }
        if presence.rendezvousOnly, !presence.rendezvousHost {
            problems.add("presence.rendezvous_only", "needs presence.rendezvous_host", "set that key to true too")
        }
        problems.require("presence.relay_port", presence.relayPort, in: 0...65_535, hint: "0 means no relay")
        if presence.relayPort > 0 {
            if !presence.rendezvousHost {
                problems.add(
                    "presence.relay_port", "needs presence.rendezvous_host", "set that key to true, or this to 0")
            }
            problems.require(
                "presence.relay_ws_port", presence.relayWebSocketPort, in: 0...65_535, hint: "0 means none")
            for (name, seconds) in [
                ("cleanup_delay", presence.relayCleanupDelaySeconds),
                ("poll_deadline", presence.relayPollDeadlineSeconds),
                ("connect_timeout", presence.relayConnectTimeoutSeconds),
                ("refresh_interval", presence.relayRefreshIntervalSeconds),
                ("recovery_grace", presence.relayRecoveryGraceSeconds),
            ] {
                problems.require(
                    "presence.relay_\(name)_sec", seconds, in: 0...86_400, hint: "0 means the peer's default")
            }
        }
        return problems.found
    }

    private func validateViewer() -> [ConfigurationProblem] {
        do throws(ConfigurationError) { _ = try ViewerReach(viewer) } catch { return error.problems }
        return []
    }

    private func validateData() -> [ConfigurationProblem] {
        var problems = Problems()
        if data.durability != "full", data.durability != "normal" {
            problems.add("data.durability", "must be full or normal", "full survives a power cut, normal is faster")
        }
        problems.require("data.visitor_rows", data.visitorRows, in: 0...100_000_000, hint: "10000 is usual")
        problems.require("data.visitor_megabytes", data.visitorMegabytes, in: 0...1_048_576, hint: "16 is usual")
        problems.require("data.visitor_row_kilobytes", data.visitorRowKilobytes, in: 1...1024, hint: "64 is usual")
        problems.require("data.total_megabytes", data.totalMegabytes, in: 0...1_048_576, hint: "1024 is usual")
        return problems.found
    }

    private func validateSite() -> [ConfigurationProblem] {
        var problems = Problems()
        if SiteAudience.Name(rawValue: site.audience) == nil {
            problems.add("site.audience", "must be everyone or named", "named shows the site to site.guests only")
        }
        if site.guests.count > SiteAudience.maximumGuests {
            problems.add(
                "site.guests", "has \(site.guests.count) ids; the limit is \(SiteAudience.maximumGuests)", "name fewer")
        }
        if let wrong = site.guests.first(where: { PeerID($0) == nil }) {
            problems.add(
                "site.guests", "holds \(wrong.prefix(utf8Bytes: 80)), which is no id of a peer",
                "an id begins with 12D3Koo or Qm; goop2 id DIR prints that of a folder")
        }
        return problems.found
    }

    private func validateLua() -> [ConfigurationProblem] {
        guard lua.enabled else { return [] }
        var problems = Problems()
        problems.requireText("lua.script_dir", lua.scriptDirectory, example: "site/lua")
        problems.require("lua.timeout_seconds", lua.timeoutSeconds, in: 1...60, hint: "5 is usual")
        problems.require("lua.max_memory_mb", lua.maximumMemoryMegabytes, in: 1...1024, hint: "10 is usual")
        problems.require("lua.rate_limit_per_peer", lua.rateLimitPerPeer, in: 1...1_000_000, hint: "30 is usual")
        problems.require("lua.rate_limit_global", lua.rateLimitGlobal, in: 1...1_000_000, hint: "120 is usual")
        return problems.found
    }

    private static func isTag(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    /// What is wrong with a rendezvous server's address, or nil.
    static func faultOfServer(_ text: String) -> String? {
        guard !isBlank(text) else { return nil }
        var rest = text[...]
        if rest.lowercased().hasPrefix("http://") {
            rest = rest.dropFirst(7)
        } else if rest.lowercased().hasPrefix("https://") {
            rest = rest.dropFirst(8)
        } else {
            return "begins with neither http:// nor https://"
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains(where: { $0 == "@" || $0.isWhitespace }) else {
            return "has a user name or a space in it"
        }
        var host = authority
        var port: Substring?
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[..<end].dropFirst()
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { return "has something other than a port after the host" }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        if host.isEmpty { return "has no host" }
        if let ip = IPAddress(String(host)), ip.isUnspecified { return "names no machine: \(host) means all addresses" }
        if let port, !(1...65_535).contains(Int(port) ?? 0) { return "has a port that is not 1 to 65535" }
        return nil
    }
}

private func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }

/// Gathers problems; every rule names its key, what is wrong, and what to do.
private struct Problems {
    var found: [ConfigurationProblem] = []

    mutating func add(_ key: String, _ cause: String, _ nextStep: String) {
        found.append(.init(key: key, cause: cause, nextStep: nextStep))
    }

    mutating func requireText(_ key: String, _ text: String, example: String) {
        if isBlank(text) {
            add(key, "is empty", "use for example \"\(example)\", or remove the key to get the default")
        }
    }

    mutating func requireSize(_ key: String, _ text: String, limit: Int) {
        let size = text.utf8.count
        if size > limit { add(key, "has \(size) bytes; the limit is \(limit)", "shorten it") }
    }

    mutating func require(_ key: String, _ number: Int, in range: ClosedRange<Int>, hint: String) {
        guard !range.contains(number) else { return }
        add(key, "is \(number), not \(range.lowerBound) to \(range.upperBound)", "choose one of these; \(hint)")
    }

    mutating func requireKey(_ key: String, _ text: String) {
        guard !text.isEmpty, (try? Base64.decode(text))?.count != 32 else { return }
        add(key, "is not the base64 of 32 bytes", "remove both keys to get a new pair at the next start")
    }
}
