/// How much of a connection one turn of its event loop reads.
///
/// A loop serves many connections, each a turn at a time, and what one turn has read is handled to its end. Large reads make
/// large frames cheap; of small ones, of which each may open a stream, a quarter of a megabyte is milliseconds of work in
/// which everybody else on the loop waits. So reads shrink while they bring many frames, and grow back.
struct ReadPacing {
    /// The smallest limit, in bytes.
    static let smallestLimit = 2 * 1024
    /// A turn that brought more frames than this was too long.
    static let manyFrames = 64
    /// A turn that brought no more than this could have been twice as long.
    static let fewFrames = 16

    private let largestLimit: Int
    /// The most that the next turn reads, in bytes.
    private(set) var limit: Int

    /// Begins with the largest limit.
    init(largestLimit: Int) {
        self.largestLimit = largestLimit
        self.limit = largestLimit
    }

    /// A turn is over.
    /// - Parameter frames: what it brought.
    /// - Returns: true if `limit` has changed.
    mutating func turnEnded(frames: UInt64) -> Bool {
        let before = self.limit
        if frames > Self.manyFrames {
            self.limit = max(Self.smallestLimit, self.limit / 2)
            // Far too many: straight to what would have been right.
            while frames / UInt64(before / self.limit) > Self.manyFrames, self.limit > Self.smallestLimit {
                self.limit = max(Self.smallestLimit, self.limit / 2)
            }
        } else if frames <= Self.fewFrames {
            self.limit = min(self.largestLimit, self.limit * 2)
        }
        return self.limit != before
    }
}
