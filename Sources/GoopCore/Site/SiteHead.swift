/// What an `OK` answer of the site protocol says about the bytes that follow.
public struct SiteHead: Sendable, Hashable {
    /// As the serving peer wrote it: a hint from a stranger, to be checked against the file name before use.
    public var mediaType: String
    /// Bytes that follow; never negative.
    public var size: Int

    /// Makes a head of a media type and a size in bytes.
    public init(mediaType: String, size: Int) {
        self.mediaType = mediaType
        self.size = size
    }
}
