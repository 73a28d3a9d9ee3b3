public import GoopCore

/// How the owner wants the viewer's pages; looked at whenever a page is made.
public struct ViewerPreferences: Sendable, Hashable {
    /// The colours.
    public var theme = ViewerTheme.auto
    /// People whom no server vouches for are left out of the list, unless the owner has named them or made them favourites.
    public var hidesUnverified = false
    /// A site that is opened from the list has a tab of its own.
    public var opensSitesInNewTab = false

    /// What nobody has changed.
    public init() {}

    /// As the settings say it.
    public init(_ settings: GoopConfiguration.Viewer) {
        theme = settings.chosenTheme
        hidesUnverified = settings.hideUnverified
        opensSitesInNewTab = settings.openSitesExternal
    }
}
