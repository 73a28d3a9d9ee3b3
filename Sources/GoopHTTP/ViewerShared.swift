/// What all doors of the viewer, and all their names, have together. Each name answers with a `ViewerResponder` of its
/// own: limits that belonged to one of these would hold once for each name.
///
/// What tells of a browser stays with the name that it uses: which sites a person has opened there (`VisitedSites`),
/// and where their frames are (`FrameWatch`). A site that was opened on a phone is not open in the browser beside the
/// peer.
struct ViewerShared: Sendable {
    let feed: PeerFeed
    let failures: FailureMemory
    let transfers = TransferPlaces()
    /// Of pages that hear of the changed files of a site.
    let fileWatches: StreamPlaces
    /// Of sites' pages that hear of the changed rows of tables: one for each table of a page.
    let tableWatches: StreamPlaces
    /// Of the viewer's own pages that do: two visited sites can fill the others.
    let ownTableWatches: StreamPlaces
    /// Of pages that hear of the owner's own visitors.
    let visitorWatches: StreamPlaces

    init(_ configuration: ViewerConfiguration) {
        let most = configuration.maximumEventStreams
        feed = PeerFeed(limit: most)
        failures = FailureMemory(lifetime: configuration.failureMemory)
        fileWatches = StreamPlaces(limit: most, limitPerPeer: most / 2)
        tableWatches = StreamPlaces(limit: most, limitPerPeer: most / 2)
        ownTableWatches = StreamPlaces(limit: most / 2, limitPerPeer: most / 2)
        visitorWatches = StreamPlaces(limit: most / 4, limitPerPeer: most / 4)
    }

    /// Ends every stream of events: none ends by itself while its page is open.
    func closeStreams() {
        feed.close()
        for places in [fileWatches, tableWatches, ownTableWatches, visitorWatches] { places.close() }
    }
}
