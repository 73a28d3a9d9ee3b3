import HTTPTypes
import HummingbirdCore
import NIOCore

/// The one page of the outer door that needs no session. It runs no script, loads nothing, and does not say whose it is.
struct LoginPage: Sendable {
    static let path = "/login"
    static let action = "/api/login"

    let headers: SecurityHeaders
    let style: HTMLText
    let backend: any ViewerBackend

    /// - Parameters:
    ///   - next: where to go afterwards; checked by `safeNext`.
    ///   - fault: what was wrong with the last try.
    ///   - offersWayOn: a link of another website was followed: the browser did not send the cookie, if there is one.
    func page(
        next: String, fault: String? = nil, offersWayOn: Bool = false, status: HTTPResponse.Status = .ok
    ) -> Response {
        let nonce = NoticeRenderer.nonce()
        var fields = headers.login(styleNonce: nonce)
        fields[.contentType] = "text/html; charset=utf-8"
        let text = document(next: next, fault: fault, offersWayOn: offersWayOn, nonce: nonce)
        return Response(
            status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: text.markup)))
    }

    private func document(next: String, fault: String?, offersWayOn: Bool, nonce: String) -> HTMLText {
        """
        \(backend.preferences.theme.applied(to: head(fault: fault, nonce: nonce).html))\
        <body>
        <main>
        <h1>Sign in</h1>
        <p>This viewer belongs to somebody’s own Goop². Its owner signs in with the password of the settings.</p>
        \(fault.map(faultLine) ?? "")<form method="post" action="\(Self.action)">
        <input type="hidden" name="next" value="\(next)">
        <input type="text" name="user" value="owner" autocomplete="username" hidden>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required autofocus\
        \(fault == nil ? "" : " aria-describedby=\"fault\" aria-invalid=\"true\"")>
        <button type="submit">Sign in</button>
        </form>
        \(offersWayOn ? wayOn(next) : "")</main>
        </body>
        </html>

        """
    }

    private func head(fault: String?, nonce: String) -> PageHead {
        PageHead(
            title: (fault == nil ? "" : "Not signed in · ") + "Sign in",
            rest: """
                <link rel="icon" href="data:,">
                <style nonce="\(nonce)">\(style)</style>

                """)
    }

    private func faultLine(_ fault: String) -> HTMLText {
        "<p class=\"fault\" id=\"fault\" role=\"alert\">\(fault)</p>\n"
    }

    private func wayOn(_ next: String) -> HTMLText {
        "<p class=\"sign\"><a href=\"\(next)\">I am signed in already</a></p>\n"
    }

    /// A path of this viewer, or the front page: nobody is sent elsewhere by a link to the login page.
    static func safeNext(_ text: String?) -> String {
        guard let text, text.utf8.count <= 2048, let target = RequestTarget(text), !text.hasPrefix("//"),
            !text.contains("\\"), !target.path.hasPrefix("/api/"),
            !target.path.hasPrefix(RequestTarget.capabilityPrefix),
            target.path != path
        else { return "/" }
        return text
    }

    /// The address of this page, which leads on to a path of the viewer.
    static func address(next: String) -> String {
        next == "/" ? path : path + "?next=" + next.utf8.map(escaped).joined()
    }

    private static func escaped(_ byte: UInt8) -> String {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"):
            return String(UnicodeScalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }
    }
}
