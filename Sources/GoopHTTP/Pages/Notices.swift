import GoopCore
import HTTPTypes
import PeerIdentity

extension NoticePage {
    private static let peersAction = (text: "Back to People", address: "/")

    /// For a refused request.
    init(_ refusal: Refusal) {
        self.init(
            status: refusal.status, title: refusal.title, explanation: refusal.explanation,
            sign: "\(refusal.status.code)", actions: [])
        if case .wrongHost(_, let address) = refusal { actions = [("Open the viewer", address)] }
    }

    /// No such page of the viewer.
    static let notFound = NoticePage(
        status: .notFound, title: "There is no such page",
        explanation: "The address leads nowhere in this viewer.", sign: "404", actions: [peersAction])

    /// The path names no peer, or one that cannot be.
    static let noSuchPeer = NoticePage(
        status: .notFound, title: "This is nobody's address",
        explanation: "An address under /p/ begins with the id of a person's Goop², for example /p/12D3KooW…/. No peer "
            + "can have what stands in its place here. Copy the address again, whole.",
        sign: "404", actions: [peersAction])

    /// In a frame whose shell is about to say where the link leads.
    static let wayOut = NoticePage(
        status: .forbidden, title: "This link leads out of the site",
        explanation: "Nothing was opened. The viewer says where it leads, and you decide.")

    static func badSitePath(_ problem: SitePathProblem) -> NoticePage {
        NoticePage(
            status: .badRequest, title: "This address cannot be used",
            explanation: "It was not sent on. \(problem.explanation)", sign: "400", actions: [peersAction])
    }

    /// A page elsewhere leads here without a click.
    static func confirmVisit(of who: String, address: String) -> NoticePage {
        NoticePage(
            status: .forbidden, title: "Open this site?",
            explanation: "Another page wants to take you to the site of \(who). "
                + "If that is what you want, go on.",
            actions: [("Open the site", address), peersAction])
    }

    /// For a site that could not be shown.
    ///
    /// - Parameters:
    ///   - who: the name of the site's owner, as `PeerID.display(name:)` gives it; nil where the page around says it.
    ///   - address: path and query that were asked for, for another try.
    init(_ error: SiteError, peer: PeerID, who: String?, address: String) {
        let site = who.map { "the site of \($0)" } ?? "this site"
        let siteFirst = who.map { "The site of \($0)" } ?? "This site"
        let owner = who ?? "the owner of this site"
        let ownerFirst = who ?? "The owner of this site"
        let retry = (text: "Try again", address: address)
        let home = (text: "Front page of this site", address: "/p/\(peer.base58)/")
        // Nobody is sent to where they are.
        let isHome = address.prefix { $0 != "?" } == home.address
        let waysOut = isHome ? [retry, Self.peersAction] : [home, Self.peersAction]
        switch error.kind {
        case .forbidden where error.isUnreadable:
            // No path: a script of the site can read what is in its frame.
            self.init(
                status: .internalServerError, title: "Your file cannot be read",
                explanation: "The system does not let your Goop² read it, so nobody can see it. Allow that in a "
                    + "terminal, with chmod -R u+rX and the folder that My site names. Then try again.",
                sign: "500", actions: [retry, ("My site", "/site"), Self.peersAction])
        case .notFound:
            self.init(
                status: .notFound, title: "This site has no such page",
                explanation: "\(siteFirst) answered, but it has nothing at this address.", sign: "404",
                actions: waysOut)
        case .forbidden:
            self.init(
                status: .forbidden, title: "This page is private",
                explanation: "\(siteFirst) does not give this file to visitors.", sign: "403",
                actions: waysOut)
        case .notInvited:
            self.init(
                status: .forbidden, title: "This site is shown to certain people only",
                explanation:
                    "\(ownerFirst) has not named you. Send them the link to your site, which \u{201c}Copy my link\u{201d} "
                    + "on your page People copies, and ask them to name you under My site. Then try again.",
                sign: "403", actions: [retry, Self.peersAction])
        case .disabled:
            self.init(
                status: .forbidden, title: "No site here",
                explanation: "\(ownerFirst) is there, but shows no site.", sign: "403", actions: [Self.peersAction])
        case .badRequest:
            self.init(
                status: .badRequest, title: "This address cannot be used",
                explanation: "\(siteFirst) could not read the address. \(error.detail.prefix(300))", sign: "400",
                actions: waysOut)
        case .tooLarge:
            self.init(
                status: .badGateway, title: "This file is too large",
                explanation: "\(siteFirst) sent more than the viewer accepts. \(error.detail.prefix(300))",
                sign: "502", actions: waysOut)
        case .busy:
            self.init(
                status: .serviceUnavailable, title: "Too much at once",
                explanation: "Too many files are on their way. Try again in a moment.", sign: "503",
                actions: [retry, Self.peersAction])
        case .timedOut:
            self.init(
                status: .gatewayTimeout, title: "No answer",
                explanation: "\(siteFirst) did not answer in time. The computer may be asleep or its network "
                    + "slow, or its Goop² may be stopping, or not want to hear from you.",
                sign: "504", attempts: error.attempts, actions: [retry, Self.peersAction])
        case .unreachable where error.detail == SiteError.endedConnection:
            self.init(
                status: .badGateway, title: "No answer",
                explanation: "\(ownerFirst) ended the connection. Their Goop² may be stopping, or not want to hear "
                    + "from you.",
                sign: "502", attempts: error.attempts, actions: [retry, Self.peersAction])
        case .unreachable:
            self.init(
                status: .badGateway, title: "This site cannot be reached",
                explanation: error.attempts.isEmpty
                    ? "No address of \(owner) is known right now. Its Goop² may be closed. It will be back in the list as "
                        + "soon as it is seen."
                    : "None of the addresses of \(owner) answered. Its Goop² may be closed, or a firewall may be "
                        + "between you.",
                sign: "502", attempts: error.attempts, actions: [retry, Self.peersAction])
        case .blocked:
            self.init(
                status: .forbidden, title: "You have blocked this peer",
                explanation:
                    "Nothing of \(site) is asked for or shown. Unblock it under \u{201c}Blocked\u{201d} "
                    + "among the people, or with the button in the bar above.",
                sign: "403", actions: [Self.peersAction])
        case .protocolViolation:
            self.init(
                status: .badGateway, title: "The answer made no sense",
                explanation: "Something answered for \(owner), but not as a site does. \(error.detail.prefix(300))",
                sign: "502", actions: [retry, Self.peersAction])
        }
    }
}

extension PeerID {
    /// The last eight characters in two groups: short enough to compare by eye. The beginning of ids is all alike.
    var fingerprint: String {
        let tail = base58.suffix(8)
        return "…\u{2060}\(tail.prefix(4))\u{a0}\(tail.dropFirst(4))"
    }

    /// The name with the fingerprint, which tells equal names apart; the fingerprint alone without a name.
    ///
    /// The name loses control characters, marks that would change the direction of the text around it, and what is seen nowhere.
    func display(name: String) -> String {
        let kept = name.unicodeScalars.filter { scalar in
            switch scalar.value {
            case 0..<0x20, 0x7f..<0xa0, 0x61c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: false
            default: !scalar.isUnseen
            }
        }
        let name = String(String.UnicodeScalarView(kept)).trimmingBlanks().prefix(80)
        let isSeen = name.unicodeScalars.contains { !$0.properties.isDefaultIgnorableCodePoint }
        return isSeen ? "\(name) (\(fingerprint))" : fingerprint
    }
}
