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

    /// Rooms behind which nothing stands, unless given.
    public init(
        book: (any PeerBook)? = nil, settings: (any SettingsDesk)? = nil, network: (any NetworkView)? = nil,
        site: (any SiteDesk)? = nil, data: (any DataDesk)? = nil
    ) {
        self.book = book
        self.settings = settings
        self.network = network
        self.site = site
        self.data = data
    }
}
