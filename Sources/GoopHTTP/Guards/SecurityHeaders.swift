import HTTPTypes

/// The header fields that tell a browser what an answer may do. Every answer gets one of these sets.
struct SecurityHeaders: Sendable {
    /// The viewer's own origin, `http://127.0.0.1:PORT`.
    let origin: String

    /// Device and tracking features that neither the viewer nor a site gets.
    static let permissions = [
        "accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "hid",
        "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment", "publickey-credentials-get",
        "screen-wake-lock", "serial", "usb", "window-management", "xr-spatial-tracking",
    ].map { $0 + "=()" }.joined(separator: ", ")

    /// For pages and data of the viewer itself.
    func viewer() -> HTTPFields {
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            + "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            + "require-trusted-types-for 'script'; trusted-types 'none'"
        fields[.crossOriginOpenerPolicy] = "same-origin"
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.frameOptions] = "DENY"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For a file of the site of `peer`: a program of a stranger.
    ///
    /// The sandbox gives it an opaque origin: no storage, no cookies, nothing of the viewer. The sources are its own
    /// folder only, so a page can neither read nor fetch another site, nor the viewer, nor the internet.
    /// - Parameters:
    ///   - peer: text form of the id, as in the path; letters and digits only.
    ///   - isOpenedByPerson: the site's own page may load this as a part of itself.
    ///   - isOpaqueScript: a script with an opaque origin asked; it may read the answer if the site was opened.
    func site(of peer: String, isOpenedByPerson: Bool, isOpaqueScript: Bool) -> HTTPFields {
        let own = "\(origin)/p/\(peer)/"
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "sandbox allow-scripts allow-forms; default-src 'none'; script-src \(own); "
            + "style-src \(own) 'unsafe-inline'; img-src \(own) data: blob:; font-src \(own) data:; "
            + "media-src \(own) data: blob:; connect-src \(own); form-action \(own); base-uri 'none'; "
            + "frame-ancestors 'self'"
        // A sandboxed page is foreign to its own files, so they must be open to foreign pages; the request guard
        // has refused all that do not belong to a visit.
        fields[.crossOriginResourcePolicy] = isOpenedByPerson ? "cross-origin" : "same-origin"
        if isOpaqueScript, isOpenedByPerson { fields[.accessControlAllowOrigin] = "null" }
        fields[.vary] = "Origin, Sec-Fetch-Site"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For everything on the origin of a peer's site: that origin holds nothing else, so the site may use all of it and
    /// nothing beyond.
    func siteOrigin(_ own: String) -> HTTPFields {
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "sandbox allow-scripts allow-forms allow-same-origin; default-src 'none'; script-src 'self'; "
            + "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
            + "media-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
            + "frame-ancestors 'self' \(origin)"
        fields[.crossOriginResourcePolicy] = "same-origin"
        fields[.vary] = "Origin, Sec-Fetch-Site"
        fields[.cacheControl] = "no-store"
        return fields
    }

    /// For a page of ours under `/p/`, such as "cannot be reached": text of ours, no script, one inline style sheet.
    func siteNotice(styleNonce: String) -> HTTPFields {
        var fields = shared()
        fields[.contentSecurityPolicy] =
            "sandbox; default-src 'none'; style-src 'nonce-\(styleNonce)'; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'self'"
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

    private func shared() -> HTTPFields {
        var fields = HTTPFields()
        fields[.xContentTypeOptions] = "nosniff"
        fields[.referrerPolicy] = "no-referrer"
        fields[.permissionsPolicy] = Self.permissions
        fields[.dnsPrefetchControl] = "off"
        return fields
    }
}
