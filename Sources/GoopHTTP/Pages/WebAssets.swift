import HTTPTypes
import NIOCore

/// The files of the viewer, compiled into the program.
struct WebAssets: Sendable {
    struct Asset: Sendable {
        let contentType: String
        let body: ByteBuffer
        /// Changes with the bytes, so browsers ask again but load only what changed.
        let tag: String

        init(contentType: String, bytes: [UInt8]) {
            self.contentType = contentType
            body = ByteBuffer(bytes: bytes)
            // FNV-1a: the tag has to differ between two builds, not to withstand anybody.
            let hash = bytes.reduce(into: 0xcbf2_9ce4_8422_2325 as UInt64) { hash, byte in
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
            }
            tag = "\"\(String(hash, radix: 16))\""
        }
    }

    /// For pages of whoever has signed in from elsewhere.
    static let sessionScript: HTMLText = "<script type=\"module\" src=\"/assets/session.js\"></script>"
    /// Stands in the shell where the token of `ControlGuard` belongs.
    static let tokenMark = "{{token}}"

    /// The pages of the rooms, by their paths.
    let rooms: [String: HTMLText]
    /// The page around a site; `ShellRenderer` fills the rest of its marks.
    let shell: HTMLText

    /// - Parameters:
    ///   - token: given to the viewer's own pages and nobody else.
    ///   - isInner: false for whoever has signed in from elsewhere, and can sign out.
    ///   - startCommand: starts the program again; told to inner pages only.
    init(token: ControlToken, isInner: Bool, startCommand: String? = nil) {
        let told = isInner ? startCommand : nil
        rooms = Dictionary(
            uniqueKeysWithValues: RoomPage.all.map {
                ($0.path, $0.page(token: token, isInner: isInner, startCommand: told))
            })
        shell = HTMLText(
            stringLiteral: String(decoding: PackageResources.shell_html, as: UTF8.self)
                .replacing(Self.tokenMark, with: token.text)
                .replacing("{{session}}", with: isInner ? "" : "\n" + Self.sessionScript.markup))
    }

    let byPath = [
        "/assets/shell.css": Asset(contentType: "text/css; charset=utf-8", bytes: PackageResources.shell_css),
        "/assets/shell.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.shell_js),
        "/assets/curtain.js": Self.script(PackageResources.curtain_js),
        "/assets/visit.js": Self.script(PackageResources.visit_js),
        "/assets/visits.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.visits_js),
        "/assets/place.js": Self.script(PackageResources.place_js),
        "/assets/skip.js": Self.script(PackageResources.skip_js),
        "/assets/sweep.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.sweep_js),
        "/assets/rooms.css": Asset(contentType: "text/css; charset=utf-8", bytes: PackageResources.rooms_css),
        "/assets/site.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.site_js),
        "/assets/site-dialogs.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.site_dialogs_js),
        "/assets/site-upload.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.site_upload_js),
        "/assets/site-starters.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.site_starters_js),
        "/assets/text.js": Self.script(PackageResources.text_js),
        "/assets/words.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.words_js),
        "/assets/dark.css": Asset(contentType: "text/css; charset=utf-8", bytes: PackageResources.dark_css),
        "/assets/data.css": Asset(contentType: "text/css; charset=utf-8", bytes: PackageResources.data_css),
        "/assets/data.js": Self.script(PackageResources.data_js),
        "/assets/data-files.js": Self.script(PackageResources.data_files_js),
        "/assets/data-policy.js": Self.script(PackageResources.data_policy_js),
        "/assets/data-row.js": Self.script(PackageResources.data_row_js),
        "/assets/data-rows.js": Self.script(PackageResources.data_rows_js),
        "/assets/data-sheet.js": Self.script(PackageResources.data_sheet_js),
        "/assets/data-tables.js": Self.script(PackageResources.data_tables_js),
        "/assets/data-values.js": Self.script(PackageResources.data_values_js),
        "/assets/data-visitors.js": Self.script(PackageResources.data_visitors_js),
        "/assets/face.js": Self.script(PackageResources.face_js),
        "/assets/own-picture.js": Self.script(PackageResources.own_picture_js),
        "/assets/settings.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.settings_js),
        "/assets/site-live.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.site_live_js),
        "/assets/audience.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.audience_js),
        "/assets/streams.js": Self.script(PackageResources.streams_js),
        "/assets/streams-worker.js": Self.script(PackageResources.streams_worker_js),
        "/assets/visitors.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.visitors_js),
        "/assets/network.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.network_js),
        "/assets/viewer.css": Asset(contentType: "text/css; charset=utf-8", bytes: PackageResources.viewer_css),
        "/assets/viewer.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.viewer_js),
        "/assets/session.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.session_js),
        "/assets/identicon.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.identicon_js),
        "/assets/icon.svg": Asset(contentType: "image/svg+xml", bytes: PackageResources.icon_svg),
    ]
    /// What is at the place that overwrites the browser's storage log.
    let scrubbing = [
        "/scrub": Asset(
            contentType: "text/html; charset=utf-8",
            bytes: Array("<!doctype html><title>Scrub</title><script src=\"/scrub.js\"></script>".utf8)),
        "/scrub.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.scrub_js),
    ]

    private static func script(_ bytes: [UInt8]) -> Asset {
        Asset(contentType: "text/javascript; charset=utf-8", bytes: bytes)
    }

    /// Style sheet of the pages that explain something and load nothing.
    let noticeStyle = HTMLText(stringLiteral: String(decoding: PackageResources.notice_css, as: UTF8.self))
    /// Of the login page.
    let loginStyle = HTMLText(
        stringLiteral: String(decoding: PackageResources.notice_css + PackageResources.login_css, as: UTF8.self))
}
