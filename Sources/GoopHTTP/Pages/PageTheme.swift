import GoopCore

/// Pages are written for `auto`: the browser picks the palette by what the system prefers. Another theme is another word in those
/// places, decided here, so that a page has its colours with its first byte and no script has to change them.
///
/// Where the system forces colours (a high-contrast mode), its own preference counts, whatever the theme.
extension ViewerTheme {
    /// The condition of the dark palette, in `auto`.
    static let isDark = "(prefers-color-scheme: dark)"
    /// The condition of what belongs to the light one.
    static let isLight = "(prefers-color-scheme: light)"
    /// Which modes a page is made for: form fields and scroll bars follow it.
    static let modes = "content=\"light dark\""

    /// Markup of ours, or a style sheet of ours within it, in this theme. A stranger's text must not be in it yet.
    func applied(to markup: String) -> String {
        switch self {
        case .auto: markup
        case .light:
            markup.replacing(Self.isDark, with: "(forced-colors: active) and \(Self.isDark)")
                .replacing(Self.isLight, with: "all").replacing(Self.modes, with: "content=\"light\"")
        case .dark:
            markup.replacing(Self.isDark, with: "(forced-colors: none), \(Self.isDark)")
                .replacing(Self.isLight, with: "not all").replacing(Self.modes, with: "content=\"dark\"")
        }
    }

    /// The same for text that is markup already.
    func applied(to html: HTMLText) -> HTMLText { HTMLText(stringLiteral: applied(to: html.markup)) }
}
