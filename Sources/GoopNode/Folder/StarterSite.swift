/// The first site of a new peer, to be changed by its owner.
public enum StarterSite: String, Sendable, Hashable, CaseIterable {
    /// One page that tells an owner how to make it theirs.
    case plain
    /// Visitors leave a message; it appears on every open page.
    case guestbook
    /// Visitors vote; the chart moves on every open page.
    case poll
    /// The owner writes, visitors read.
    case blog
    /// Guestbook, poll and blog behind one front page; the neighbour of `make run` has it, and so may any peer.
    case neighbour

    /// What it is, for a list of choices.
    public var summary: String {
        switch self {
        case .plain: "A page to start from."
        case .guestbook: "Visitors leave a message; it appears on every open page."
        case .poll: "Visitors vote; the chart moves on every open page."
        case .blog: "You write, visitors read."
        case .neighbour: "Guestbook, poll and blog behind one front page."
        }
    }

    /// Paths within the site folder and contents.
    func files(label: String) -> [(name: String, text: String)] {
        let page = StarterPage(name: StarterSite.escaped(label), accent: accent)
        let style = (name: "style.css", text: page.style)
        switch self {
        case .plain: return [("index.html", page.plain), style]
        case .guestbook: return page.guestbook(in: "", header: "") + [style]
        case .poll: return page.poll(in: "", header: "") + [style]
        case .blog: return page.blog(in: "", header: "") + [style]
        case .neighbour:
            let header = page.header
            return [("index.html", page.home), style] + page.guestbook(in: "guestbook/", header: header)
                + page.poll(in: "poll/", header: header) + page.blog(in: "blog/", header: header)
        }
    }

    /// The tables that its pages use.
    var tables: [StarterTable] {
        switch self {
        case .plain: []
        case .guestbook: [.guestbook]
        case .poll: [.votes]
        case .blog: [.posts]
        case .neighbour: [.guestbook, .votes, .posts]
        }
    }

    private var accent: String {
        switch self {
        case .plain: "#3b6ea5"
        case .guestbook: "#7a5195"
        case .poll: "#2f7d6b"
        case .blog: "#8a6d1f"
        case .neighbour: "#a5563b"
        }
    }

    /// Text as it may stand in a page.
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // The marks of the files below, so that no name is taken for one.
            case "{": result += "&#123;"
            default: result.append(character)
            }
        }
    }
}

/// The pages of the starter sites: files compiled into the program, with marks for what differs.
private struct StarterPage {
    /// Escaped.
    let name: String
    let accent: String

    var style: String { filled(PackageResources.starter_css) }
    var plain: String { filled(PackageResources.plain_html) }
    var home: String { filled(PackageResources.home_html) }

    /// Links to all parts of the neighbour's site, for pages one folder down.
    var header: String {
        """
        <header><nav aria-label="Site"><ul>
            <li><a href="../"><bdi>\(name)</bdi></a></li>
            <li><a href="../guestbook/">Guestbook</a></li>
            <li><a href="../poll/">Poll</a></li>
            <li><a href="../blog/">Blog</a></li>
          </ul></nav></header>
        """
    }

    func guestbook(in folder: String, header: String) -> [(name: String, text: String)] {
        [
            (folder + "index.html", filled(PackageResources.guestbook_html, folder: folder, header: header)),
            (folder + "guestbook.js", filled(PackageResources.guestbook_js)),
        ]
    }

    func poll(in folder: String, header: String) -> [(name: String, text: String)] {
        [
            (folder + "index.html", filled(PackageResources.poll_html, folder: folder, header: header)),
            (folder + "poll.js", filled(PackageResources.poll_js)),
        ]
    }

    func blog(in folder: String, header: String) -> [(name: String, text: String)] {
        [
            (folder + "index.html", filled(PackageResources.blog_html, folder: folder, header: header)),
            (folder + "blog.js", filled(PackageResources.blog_js)),
            (folder + "post.html", filled(PackageResources.post_html, folder: folder, header: header)),
            (folder + "post.js", filled(PackageResources.post_js)),
        ]
    }

    private func filled(_ bytes: [UInt8], folder: String = "", header: String = "") -> String {
        let values = ["NAME": name, "ACCENT": accent, "ROOT": folder.isEmpty ? "" : "../", "HEADER": header]
        var result = ""
        var rest = Substring(String(decoding: bytes, as: UTF8.self))
        while let start = rest.firstRange(of: "{{"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            result += rest[..<start.lowerBound]
            let mark = String(rest[start.upperBound..<end.lowerBound])
            result += values[mark] ?? "{{\(mark)}}"
            rest = rest[end.upperBound...]
        }
        return result + rest
    }
}
