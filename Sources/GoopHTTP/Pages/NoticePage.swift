import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// A page of ours that explains why something is not shown. It runs no script and loads nothing.
struct NoticePage: Sendable {
    var status: HTTPResponse.Status
    var title: String
    var explanation: String
    /// The number of the status, in the markup only: nobody can do anything with it but whoever is asked for help.
    var sign: String?
    /// Addresses that were tried, with what came back.
    var attempts: [DialFailure] = []
    /// Buttons: text and address. Addresses are made here, never by a stranger.
    var actions: [(text: String, address: String)] = []

    /// The most addresses that are listed.
    static let maximumAttempts = 24

    /// The whole document.
    /// - Parameters:
    ///   - style: the inline style sheet.
    ///   - nonce: the value that the content policy allows.
    ///   - theme: of the page; titles and styles are ours.
    func document(style: HTMLText, nonce: String, theme: ViewerTheme) -> HTMLText {
        let head = PageHead(title: title, rest: "<style nonce=\"\(nonce)\">\(style)</style>\n").html
        return """
            \(theme.applied(to: head))\
            <body>
            <main\(codeMark)>
            <h1>\(title)</h1>
            <p>\(explanation)</p>
            \(attemptList)\(actionList)</main>
            </body>
            </html>

            """
    }

    private var codeMark: HTMLText {
        sign.map { " data-code=\"\($0)\"" } ?? ""
    }

    private var attemptList: HTMLText {
        guard !attempts.isEmpty else { return "" }
        let rows = attempts.prefix(Self.maximumAttempts).map { attempt -> HTMLText in
            "<li><code>\(attempt.address.prefix(256))</code><span>\(attempt.reason.prefix(256))"
                + " · after \(Self.seconds(attempt.elapsed))</span></li>\n"
        }
        let rest = attempts.count - rows.count
        let more: HTMLText = rest > 0 ? "<li>and \(String(rest)) more</li>\n" : ""
        return """
            <h2>What was tried</h2>
            <ol class="attempts">
            \(HTMLText(rows))\(more)</ol>

            """
    }

    private var actionList: HTMLText {
        guard !actions.isEmpty else { return "" }
        let links = actions.map { action -> HTMLText in "<a href=\"\(action.address)\">\(action.text)</a>\n" }
        return "<nav class=\"actions\" aria-label=\"What next\">\n\(HTMLText(links))</nav>\n"
    }

    private static func seconds(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        if milliseconds < 1 { return "less than 1\u{a0}ms" }
        if milliseconds < 1000 { return "\(milliseconds)\u{a0}ms" }
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100)\u{a0}s"
    }
}

extension HTMLText {
    static func + (first: HTMLText, second: HTMLText) -> HTMLText { HTMLText([first, second]) }
}

/// Turns notices into answers, with a fresh nonce each.
struct NoticeRenderer: Sendable {
    let headers: SecurityHeaders
    let assets: WebAssets
    let backend: any ViewerBackend

    /// A notice outside of `/p/`.
    func viewerNotice(_ notice: NoticePage) -> Response {
        let nonce = Self.nonce()
        return render(
            notice, nonce: nonce, fields: headers.notice(styleNonce: nonce), theme: backend.preferences.theme)
    }

    /// A notice under `/p/`, in a tab or in the shell's frame.
    func siteNotice(_ notice: NoticePage, place: RequestPlace = .viewer, prefix: String = "") -> Response {
        let nonce = Self.nonce()
        var notice = notice
        if place != .viewer {
            // Inside of the frame there is no way to the viewer's pages; the bar around it has one.
            notice.actions = notice.actions.filter { $0.address != "/" }.map { ($0.text, prefix + $0.address) }
        }
        // On a site's own origin the site can read it, and what its visitor has chosen is none of its business.
        return render(
            notice, nonce: nonce, fields: headers.siteNotice(styleNonce: nonce, place: place),
            theme: place == .viewer ? backend.preferences.theme : .auto)
    }

    private func render(_ notice: NoticePage, nonce: String, fields: HTTPFields, theme: ViewerTheme) -> Response {
        var fields = fields
        fields[.contentType] = "text/html; charset=utf-8"
        let document = notice.document(style: assets.noticeStyle, nonce: nonce, theme: theme)
        return Response(
            status: notice.status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: document.markup)))
    }

    /// 128 random bits in letters and digits.
    static func nonce() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(generator.next() as UInt64, radix: 36) + String(generator.next() as UInt64, radix: 36)
    }
}
