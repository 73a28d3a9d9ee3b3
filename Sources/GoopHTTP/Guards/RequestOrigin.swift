import HTTPTypes

/// What a browser tells about the page that made a request.
///
/// `Sec-Fetch-*` cannot be set by scripts. Programs that are no browsers, and very old browsers, send none of it.
/// Source: W3C Fetch Metadata Request Headers, section 2.
struct RequestOrigin: Sendable, Equatable {
    enum Site: Sendable, Equatable {
        /// No browser with fetch metadata.
        case unknown
        /// Typed, a bookmark, or another program.
        case none
        case sameOrigin
        /// Another origin; a sandboxed page, having an opaque origin, always counts as one.
        case foreign
    }

    let site: Site
    /// A whole page in a tab, not a part of a page.
    let isTopLevelNavigation: Bool
    /// A navigation, in a tab or in a frame.
    let isNavigation: Bool
    /// The person clicked.
    let isUserActivated: Bool
    /// `Origin: null`: a script of a page with an opaque origin wants to read the answer.
    let isOpaqueScript: Bool
    /// An `Origin` that is neither ours nor null, or a referring page within `/p/`.
    let isForeignPage: Bool
    /// The script of any worker.
    let isWorker: Bool
    /// A service worker outlives the visit, and a shared one the page.
    let isLastingWorker: Bool
    /// The script of a service worker, by a browser that holds the pages it makes up to the policy that the shell sets
    /// for its frame: browsers made of Chromium, by the name that the browser itself puts into the request for such a script.
    let isBoundServiceWorker: Bool
    /// A page in a frame.
    let isFrame: Bool
    /// The page that made the request, as far as it tells.
    let referer: String?

    init(_ fields: HTTPFields, ownOrigin: String, isOwnRefererForeign: Bool = true) {
        let mode = fields[.secFetchMode]
        let destination = fields[.secFetchDest]
        switch fields[.secFetchSite] {
        case nil: site = .unknown
        case "none": site = .none
        case "same-origin": site = .sameOrigin
        default: site = .foreign
        }
        isNavigation = mode == "navigate" || mode == "nested-navigate"
        isTopLevelNavigation = isNavigation && destination == "document"
        isUserActivated = fields[.secFetchUser] == "?1"
        let origin = fields[values: .origin]
        isOpaqueScript = origin == ["null"]
        isForeignPage =
            !(origin.isEmpty || origin == [ownOrigin] || origin == ["null"])
            || (isOwnRefererForeign && fields[.referer]?.hasPrefix(ownOrigin + "/p/") ?? false)
        isLastingWorker = fields[.serviceWorker] != nil || ["serviceworker", "sharedworker"].contains(destination)
        isBoundServiceWorker =
            fields[.serviceWorker] == "script" && destination == "serviceworker"
            && fields[.userAgent]?.contains("Chrome/") ?? false
        isWorker = isLastingWorker || destination == "worker"
        isFrame = isNavigation && destination == "iframe"
        referer = fields[.referer]
    }

    /// True when a page of the viewer, the person, or a program on this machine asks for data of the viewer.
    var mayReadViewerData: Bool { site != .foreign && !isOpaqueScript && !isForeignPage }

    /// True when a part of a page asks whose origin is opaque, as far as browsers tell: it names neither origin nor page.
    var mayBeOpaquePage: Bool { site == .foreign && !isNavigation && !isForeignPage && !isWorker && referer == nil }

    /// True when a page of the viewer may be shown: also to a person who follows a link from elsewhere.
    var mayShowViewerPage: Bool { mayReadViewerData || isTopLevelNavigation }
}
