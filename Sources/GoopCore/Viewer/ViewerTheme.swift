/// Which colours the viewer's pages have.
public enum ViewerTheme: String, Sendable, Hashable, CaseIterable {
    /// Light or dark, as the system of whoever looks is.
    case auto
    case light, dark
}

extension GoopConfiguration.Viewer {
    /// `theme`; a word that means none, which upstream accepts too, is `auto`.
    public var chosenTheme: ViewerTheme { ViewerTheme(rawValue: theme) ?? .auto }
}
