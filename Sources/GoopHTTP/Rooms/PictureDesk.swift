public import GoopCore
public import PeerIdentity

/// The pictures that peers have chosen for themselves, and the owner's own.
public protocol PictureDesk: Sendable {
    /// The owner's; nil without one.
    func ownPicture() async -> Avatar?
    /// The one that a listed peer has announced; nil if it has none or it cannot be had now. Ends within a bounded time.
    func picture(of peer: PeerID) async -> Avatar?
    /// Makes this the owner's picture: on the disk when it returns, and announced to the others.
    func set(_ avatar: Avatar) async throws(PictureDeskError)
    /// Takes the owner's picture away.
    func remove() async throws(PictureDeskError)
}

/// Why the owner's picture stayed as it was.
public struct PictureDeskError: Error, Sendable, Hashable {
    /// For the person.
    public var message: String

    /// All of it.
    public init(message: String) { self.message = message }
}
