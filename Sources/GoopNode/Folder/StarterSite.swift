/// The first site of a new peer: two files to be changed by their owner.
public enum StarterSite: String, Sendable, Hashable, CaseIterable {
    /// Tells an owner how to make it theirs.
    case own
    /// The sample neighbour of `make run`.
    case neighbour

    /// File names and contents.
    func files(label: String) -> [(name: String, text: String)] {
        let name = StarterSite.escaped(label)
        return [("index.html", page(name: name)), ("style.css", style)]
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
            default: result.append(character)
            }
        }
    }

    private func page(name: String) -> String {
        switch self {
        case .own: frame(title: name, heading: "Hello, I am \(name).", body: StarterSite.ownBody)
        case .neighbour: frame(title: name, heading: "Good to see you next door.", body: StarterSite.neighbourBody)
        }
    }

    private func frame(title: String, heading: String, body: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>\(title)</title>
          <link rel="stylesheet" href="style.css">
        </head>
        <body>
          <main>
            <h1>\(heading)</h1>
        \(body)
          </main>
        </body>
        </html>

        """
    }

    private static let ownBody = """
            <p>This page is a file on my own machine. You are reading it straight from there.</p>
            <h2>Make it yours</h2>
            <ul>
              <li>Change <code>site/index.html</code> and reload: the new page is there at once.</li>
              <li>Put pictures, styles, scripts and folders beside it. A folder shows its <code>index.html</code>.</li>
              <li>Names that begin with a dot, and the folder <code>lua</code>, are never shown to visitors.</li>
            </ul>
        """

    private static let neighbourBody = """
            <p>I am the sample neighbour: a second peer in its own folder and its own process. I stay as long as
              <code>make run</code> does.</p>
            <p>Change a file in my <code>site</code> folder and reload this page. Then stop me, and watch me go from
              your list.</p>
        """

    private var style: String {
        let accent = self == .own ? "#3b6ea5" : "#a5563b"
        return """
            :root { color-scheme: light dark; --accent: \(accent); }
            * { box-sizing: border-box; }
            body { margin: 0; font: 1.0625rem/1.6 system-ui, sans-serif; }
            main { max-width: 40rem; margin: 0 auto; padding: clamp(1.5rem, 6vw, 5rem) 1.25rem; }
            h1 { font-size: clamp(1.75rem, 6vw, 2.75rem); line-height: 1.15; margin: 0 0 1.5rem; text-wrap: balance; }
            h1::after { content: ""; display: block; width: 3.5rem; height: 0.35rem; margin-top: 1.25rem;
              border-radius: 1rem; background: var(--accent); }
            h2 { font-size: 1.125rem; margin: 2.5rem 0 0.5rem; }
            ul { padding-left: 1.25rem; }
            li { margin: 0.4rem 0; }
            code { font-size: 0.92em; padding: 0.1em 0.35em; border-radius: 0.3em;
              background: color-mix(in srgb, currentColor 10%, transparent); }

            """
    }
}
