import HTTPTypes

/// The header fields that tell a browser what an answer may do. Every answer gets one of these sets.
struct SecurityHeaders: Sendable {
    /// The viewer's own origin, `http://127.0.0.1:PORT` or `https://NAME`.
    let origin: String
    /// Every site's origin: in a frame there a room of the viewer has the browser drop what a site stored.
    private var sites: String { isInner ? origin.replacing("//127.0.0.1", with: "//*.localhost") : "'none'" }
    /// The place whose frames overwrite the browser's storage log.
    private var scrubbing: String {
        isInner ? origin.replacing("//127.0.0.1", with: "//\(SiteOrigin.scrubLabel).localhost") + " " : ""
    }
    /// The viewer itself encrypts: browsers are told to ask for this name by HTTPS only.
    var isEncrypted = false
    /// Sites have origins of their own on loopback only.
    private var isInner: Bool { origin.hasPrefix("http://") }

    /// Device and tracking features that neither the viewer nor a site gets.
    static let permissions = [
        "accelerometer", "browsing-topics", "camera", "display-capture", "fullscreen", "geolocation", "gyroscope",
        "hid",
        "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture",
        "publickey-credentials-get",
        "screen-wake-lock", "serial", "usb", "window-management", "xr-spatial-tracking",
    ].map { $0 + "=()" }.joined(separator: ", ")

    /// No text becomes markup in a page of the viewer, and one address alone a script: that of the worker which
    /// `streams.js` starts, through the policy of this name.
    private static let trustedTypes = "require-trusted-types-for 'script'; trusted-types goop-streams"

    /// For pages and data of the viewer itself.
    func viewer() -> HTTPFields {
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; "
            + "connect-src 'self'; frame-src \(sites); manifest-src 'self'; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'; " + Self.trustedTypes
        fields[.crossOriginOpenerPolicy] = "same-origin"
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.frameOptions] = "DENY"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For a picture that somebody has chosen, for the viewer's pages alone: it loads nothing, and is nobody's page.
    func picture() -> HTTPFields {
        var fields = viewer()
        fields[.contentSecurityPolicy] =
            "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return fields
    }

    /// For a file of the site of `peer`: a program of a stranger.
    ///
    /// The sandbox gives it an opaque origin: no storage, no cookies, nothing of the viewer. The sources are its own
    /// folder only, so a page can neither read nor fetch another site, nor the viewer, nor the internet.
    ///
    /// It is opened to no foreign page, and a page that the sandbox made foreign to its own files is one: only under a secret
    /// path does a site work without an origin. Without `Sec-Fetch-*` the two could not be told apart here.
    /// - Parameter peer: text form of the id, as in the path; letters and digits only.
    func site(of peer: String) -> HTTPFields {
        let own = "\(origin)/p/\(peer)/"
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "sandbox allow-scripts allow-forms; default-src 'none'; script-src \(own); "
            + "style-src \(own) 'unsafe-inline'; img-src \(own) data: blob:; font-src \(own) data:; "
            + "media-src \(own) data: blob:; connect-src \(own); form-action \(own); base-uri 'none'; "
            + "frame-ancestors 'self'"
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.vary] = "Origin, Sec-Fetch-Site"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// What a page of a site may load and reach. The shell sets the same for its frame, where it also binds a page that a
    /// service worker made up.
    static let sitePolicy =
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
        + "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        + "media-src 'self' data: blob:; connect-src 'self'; manifest-src 'none'; form-action 'self'; base-uri 'none'"

    /// For everything on the origin of a peer's site: that origin holds nothing else, so the site may use all of it and
    /// nothing beyond.
    ///
    /// No frames: the shell takes every page that a frame asks for as a step of the site. No inline scripts, as upstream:
    /// a row that some visitor wrote must not become one.
    func siteOrigin() -> HTTPFields {
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "sandbox allow-scripts allow-forms allow-same-origin allow-downloads; \(Self.sitePolicy); "
            + "frame-ancestors \(origin)"
        fields[.allowPolicyFrom] = origin
        fields[.crossOriginOpenerPolicy] = "same-origin"
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.vary] = "Origin, Sec-Fetch-Site, Sec-Fetch-Dest"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For everything of a site under its secret path, where it has no origin of its own: the sandbox makes it opaque, so
    /// its own files are foreign to it and must be open to an opaque page.
    /// - Parameters:
    ///   - prefix: `/c/<token>`.
    ///   - isOpaqueScript: a script with an opaque origin asked, and may read the answer.
    func capability(prefix: String, isOpaqueScript: Bool) -> HTTPFields {
        let own = "\(origin)\(prefix)/"
        let sdk = "\(origin)/sdk/"
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "sandbox allow-scripts allow-forms allow-downloads; default-src 'none'; "
            + "script-src \(own) \(sdk) 'wasm-unsafe-eval'; style-src \(own) \(sdk) 'unsafe-inline'; "
            + "img-src \(own) data: blob:; font-src \(own) data:; media-src \(own) data: blob:; connect-src \(own); "
            + "form-action \(own); base-uri 'none'; frame-ancestors \(origin)"
        fields[.crossOriginResourcePolicy] = "cross-origin"
        if isOpaqueScript { fields[.accessControlAllowOrigin] = "null" }
        fields[.vary] = "Origin, Sec-Fetch-Site, Sec-Fetch-Dest"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For the page around a site's frame.
    /// - Parameters:
    ///   - site: the origin of the site, the only thing besides secret paths that the frame may show; nil: only these.
    ///   - probe: address that tells whether the browser finds such origins.
    func shell(site: String?, probe: String?) -> HTTPFields {
        var fields = viewer()
        let own = site.map { $0 + " " } ?? ""
        fields[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; "
            + "connect-src 'self'\(probe.map { " " + $0 } ?? ""); "
            + "frame-src \(own)\(scrubbing)\(origin)\(RequestTarget.capabilityPrefix); base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'; " + Self.trustedTypes
        return fields
    }

    /// For the answer to the shell's probe, which only the viewer's pages may read.
    func probe() -> HTTPFields {
        var fields = shared()
        fields[.accessControlAllowOrigin] = origin
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.contentSecurityPolicy] = "sandbox; default-src 'none'; frame-ancestors 'none'"
        fields[.vary] = "Origin"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For the frame that overwrites the browser's storage log: a script of ours, and nothing else.
    func scrub() -> HTTPFields {
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors \(origin)"
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For a page of ours under `/p/`, such as "cannot be reached": text of ours, no script, one inline style sheet.
    ///
    /// - Parameter place: on its own origin the notice belongs to that origin, so that its links count as the site's.
    func siteNotice(styleNonce: String, place: RequestPlace = .viewer) -> HTTPFields {
        var fields = shared()
        var sandbox = "sandbox"
        if case .site = place {
            sandbox = "sandbox allow-same-origin"
            fields[.allowPolicyFrom] = origin
        }
        fields[.contentSecurityPolicy] =
            "\(sandbox); default-src 'none'; style-src 'nonce-\(styleNonce)'; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'self' \(origin)"
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.cacheControl] = "no-store"
        fields[.vary] = "Origin, Sec-Fetch-Site"
        return fields
    }

    /// For a page of ours outside of `/p/` that explains a refusal.
    func notice(styleNonce: String) -> HTTPFields {
        var fields = viewer()
        fields[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'nonce-\(styleNonce)'; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'"
        return fields
    }

    /// For the login page of the outer door. Without a referring address a browser would call the form's origin opaque.
    func login(styleNonce: String) -> HTTPFields {
        var fields = viewer()
        fields[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'nonce-\(styleNonce)'; img-src data:; base-uri 'none'; form-action 'self'; "
            + "frame-ancestors 'none'"
        fields[.referrerPolicy] = "same-origin"
        return fields
    }

    private func shared() -> HTTPFields {
        var fields = HTTPFields()
        fields[.xContentTypeOptions] = "nosniff"
        fields[.referrerPolicy] = "no-referrer"
        fields[.permissionsPolicy] = Self.permissions
        fields[.dnsPrefetchControl] = "off"
        // Thirty days: this host may have other ports, which a browser then asks by HTTPS too.
        if isEncrypted { fields[.strictTransportSecurity] = "max-age=2592000" }
        return fields
    }
}
