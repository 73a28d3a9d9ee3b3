import GoopCore
import GoopHTTP
import LibP2P
import NIOPosix

/// The owner's picture, and those of the peers in the list.
struct NodePictureDesk: PictureDesk {
    let id: PeerID
    let own: OwnAvatar
    let directory: PeerDirectory
    let gallery: AvatarGallery

    func ownPicture() async -> Avatar? { own.current }

    /// Blocked peers are not in the list.
    func picture(of peer: PeerID) async -> Avatar? {
        guard peer != id else { return own.current }
        guard let entry = await directory.entry(of: peer), !entry.isMuted, Avatar.isHash(entry.avatarHash) else {
            return nil
        }
        return await gallery.picture(
            entry.avatarHash, of: peer, isReachable: entry.reachable && !entry.offline)
    }

    func set(_ avatar: Avatar) async throws(PictureDeskError) {
        try await onDisk { [own] () throws(FileFault) in try own.set(avatar) }
    }

    func remove() async throws(PictureDeskError) {
        try await onDisk { [own] () throws(FileFault) in try own.remove() }
    }

    private func onDisk(_ body: @escaping @Sendable () throws(FileFault) -> Void) async throws(PictureDeskError) {
        do { try await NIOThreadPool.singleton.runIfActive { try body() } } catch {
            throw PictureDeskError(message: "the picture could not be stored: \(String("\(error)".prefix(200)))")
        }
    }
}
