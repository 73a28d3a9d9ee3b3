/// What stands behind the viewer's rooms, besides the backend; a room without it answers that it is closed.
public struct ViewerRooms: Sendable {
    /// Peers: names, favourites, mutes, blocks.
    public var book: (any PeerBook)?
    /// Settings.
    public var settings: (any SettingsDesk)?
    /// Network.
    public var network: (any NetworkView)?
    /// My site: files, starters.
    public var site: (any SiteDesk)?
    /// Data.
    public var data: (any DataDesk)?
    /// Settings: starts the program again.
    public var restarter: (any Restarter)?
    /// My site: who may see it, and who does.
    public var access: (any SiteAccess)?
    /// Peers, Settings: the pictures that peers have chosen.
    public var pictures: (any PictureDesk)?

    /// Rooms behind which nothing stands, unless given.
    public init(
        book: (any PeerBook)? = nil, settings: (any SettingsDesk)? = nil, network: (any NetworkView)? = nil,
        site: (any SiteDesk)? = nil, data: (any DataDesk)? = nil,
        access: (any SiteAccess)? = nil, restarter: (any Restarter)? = nil,
        pictures: (any PictureDesk)? = nil
    ) {
        self.book = book
        self.settings = settings
        self.network = network
        self.site = site
        self.data = data
        self.access = access
        self.restarter = restarter
        self.pictures = pictures
    }
}
