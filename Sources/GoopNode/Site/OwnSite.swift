import GoopCore
import Logging

/// This peer's own site, from which its owner's pages and strangers are served alike: for both together there is one watch of
/// the folder, and one memory of the hashes of its files.
struct OwnSite: Sendable {
    let folder: SiteFolder
    let watch: SiteWatch
    let tags = ContentTags()

    init(_ peer: PreparedPeer, logger: Logger) {
        folder = SiteFolder(root: peer.siteRoot, hidden: peer.configuration.hiddenSiteFolders)
        watch = SiteWatch(folder: folder, logger: logger)
    }
}
