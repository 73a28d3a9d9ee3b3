import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// Makes the page around a peer's site: the bar, which belongs to the viewer, and a frame, which belongs to the site.
///
/// The page is the same for every path of a site; its script takes the path from the address.
struct ShellRenderer: Sendable {
    let headers: SecurityHeaders
    /// Nil: the frame shows the site under a secret path.
    let origins: SiteOrigin?
    let template: HTMLText

    /// The page around the site of a peer.
    /// - Parameters:
    ///   - who: its name with the fingerprint, shown until the script knows more.
    ///   - theme: of the bar; a site has its own.
    func page(for peer: PeerID, who: String, theme: ViewerTheme) -> Response {
        let site = origins?.origin(of: peer)
        let probe = origins?.probeAddress()
        var fields = headers.shell(site: site, probe: probe)
        fields[.contentType] = "text/html; charset=utf-8"
        let marks: [(String, HTMLText)] = [
            ("{{peer}}", "\(peer.base58)"), ("{{site}}", "\(site ?? "")"), ("{{probe}}", "\(probe ?? "")"),
            ("{{policy}}", "\(SecurityHeaders.sitePolicy)"), ("{{who}}", "\(who)"),
        ]
        // The name goes last: a name that looks like a mark stays a name.
        let text = marks.reduce(theme.applied(to: template.markup)) { $0.replacing($1.0, with: $1.1.markup) }
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
