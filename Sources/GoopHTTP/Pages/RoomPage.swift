/// The page of one room of the viewer: the same frame for all, a fragment of `Web/` in its middle.
///
/// A new room is a fragment with its `<main id="content" tabindex="-1">`, a script, and a line in `all`.
struct RoomPage: Sendable {
    /// Where it stands.
    let path: String
    /// Its name in the navigation and in the title.
    let name: String
    /// Its script below `/assets/`; nil if it needs none.
    let script: String?
    /// Its `<main>` and its dialogs.
    let content: [UInt8]
    /// Beside the brand.
    var status: HTMLText = ""

    /// Stands where `hidden` does while the owner is not invisible.
    private static let visibilityMark = "data-visible"
    /// Stands where the notice of a second program with this peer's key does.
    private static let twinMark = "<!--twin-->"

    /// A page of `page(token:isInner:startCommand:)` as it is at this moment.
    /// - Parameter twin: where somebody says that they are this peer, if somebody does.
    static func current(
        _ page: HTMLText, isInvisible: Bool, twin: String? = nil, preferences: ViewerPreferences
    ) -> String {
        var markup = preferences.theme.applied(to: page.markup)
            .replacing(visibilityMark, with: isInvisible ? "" : "hidden")
            .replacing(twinMark, with: twin.map { notice(ofTwinAt: $0).markup } ?? "")
        if preferences.hidesUnverified {
            markup = markup.replacing("data-unverified=\"shown\"", with: "data-unverified=\"hidden\"")
        }
        if preferences.opensSitesInNewTab {
            markup = markup.replacing("data-sites=\"here\"", with: "data-sites=\"new-tab\"")
        }
        return markup
    }

    /// In the order of the navigation.
    static let all = [
        RoomPage(
            path: "/", name: "People", script: "viewer.js", content: PackageResources.peers_html,
            status: """
                  <p class="link" id="link" data-state="connecting">
                    <span class="dot" aria-hidden="true"></span><span id="link-text">Connecting…</span>
                  </p>

                """),
        RoomPage(path: "/site", name: "My site", script: "site.js", content: PackageResources.site_html),
        RoomPage(path: "/data", name: "Data", script: "data.js", content: PackageResources.data_html),
        RoomPage(
            path: "/settings", name: "Settings", script: "settings.js", content: PackageResources.settings_html),
        RoomPage(path: "/network", name: "Network", script: "network.js", content: PackageResources.network_html),
        RoomPage(path: "/help", name: "Help", script: nil, content: PackageResources.help_html),
    ]

    /// The whole page. It holds the token: send it with `no-store`, and only to the viewer's own address.
    /// - Parameters:
    ///   - isInner: false for whoever has signed in from elsewhere, and can sign out.
    ///   - startCommand: what the page tells when nothing answers it any more; nil: nothing.
    func page(token: ControlToken, isInner: Bool, startCommand: String?) -> HTMLText {
        """
        \(head(token: token, isInner: isInner, startCommand: startCommand).html)\
        <body>
        <a class="skip" href="#content">Skip to content</a>

        <header class="top">
          <a class="brand" href="/" aria-label="Goop squared, front page">
            <img src="/assets/icon.svg" width="30" height="30" alt="">
            <span aria-hidden="true">Goop<sup>2</sup></span>
          </a>
        \(status)\
        \(isInner ? "" : Self.wayOut)\
        </header>
        <nav class="rooms" aria-label="Rooms">
          <ul>
        \(HTMLText(Self.all.map(navigationItem)))\
          </ul>
        </nav>

        <p class="standing" id="invisible" \(HTMLText(stringLiteral: Self.visibilityMark))>You are invisible: nobody is told that you are here, \
        and nobody finds you by looking. <a href="/settings#seen">Change it</a></p>
        \(HTMLText(stringLiteral: Self.twinMark))
        \(HTMLText(stringLiteral: String(decoding: content, as: UTF8.self)))
        <footer class="foot">
          <p>\(isInner ? Self.innerFoot : Self.outerFoot)</p>
        </footer>

        <div class="toast" id="toast" hidden></div>
        <p class="visually-hidden" id="announcer" role="status" aria-live="polite"></p>
        </body>
        </html>

        """
    }

    private func head(token: ControlToken, isInner: Bool, startCommand: String?) -> PageHead {
        PageHead(
            title: name,
            rest: """
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#f6f7f3">
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#12171a">
                <meta name="goop-token" content="\(token.text)">
                \(startCommand.map { "<meta name=\"goop-start\" content=\"\($0)\">\n" as HTMLText } ?? "")\
                <link rel="icon" type="image/svg+xml" href="/assets/icon.svg">
                <link rel="stylesheet" href="/assets/viewer.css">
                <link rel="stylesheet" href="/assets/rooms.css">
                <link rel="stylesheet" href="/assets/dark.css" media="(prefers-color-scheme: dark)">
                <script type="module" src="/assets/skip.js"></script>
                <script type="module" src="/assets/sweep.js"></script>
                \(script.map { "<script type=\"module\" src=\"/assets/\($0)\"></script>\n" as HTMLText } ?? "")\
                \(isInner ? "" : WebAssets.sessionScript + "\n")
                """)
    }

    private static func notice(ofTwinAt place: String) -> HTMLText {
        let who = place == "this computer" ? "Another program on the same computer" : "Somebody at " + place
        return """
            <p class="standing" id="twin">\(who) says \
            on the local network that it is you. If you have started this peer twice, or a restored copy of it, stop one of \
            the two: whoever visits you gets now the one, now the other. If you have not, somebody there pretends, and there \
            is nothing to do.</p>

            """
    }

    /// For whoever has signed in from elsewhere.
    private static let wayOut: HTMLText = """
          <button class="button small" id="sign-out" type="button">Sign out</button>

        """
    /// What is said at the foot.
    private static let innerFoot: HTMLText = """
        Everything here is on your own computer. Whoever has an account on it can open these pages; from another computer \
        nobody can, unless you have set a password for that in Settings and they know it.
        """
    private static let outerFoot: HTMLText =
        "This is the Goop² of another computer, and you have signed in to it. Sign out when you leave."

    private func navigationItem(_ room: RoomPage) -> HTMLText {
        let current: HTMLText = room.path == path ? " aria-current=\"page\"" : ""
        return "    <li><a href=\"\(room.path)\"\(current)>\(room.name)</a></li>\n"
    }
}
