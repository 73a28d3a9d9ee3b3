import GoopCore

/// The media type of an answer under `/p/`.
///
/// What a browser does with a file hangs on its type, so it is decided here and not by the stranger who sent the
/// file: the extension decides; for an unknown one the stranger's word counts only among types that are shown or
/// played, never run.
enum SiteMediaType {
    /// The type to send for a file.
    /// - Parameters:
    ///   - path: decoded path within the site; a trailing slash means the index page of a folder.
    ///   - claim: what the other side said.
    static func ofFile(at path: String, claim: String) -> String {
        if path.hasSuffix("/") { return "text/html; charset=utf-8" }
        let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        let known = MediaType.ofFile(named: name)
        guard known == MediaType.unknown, claim.utf8.count <= 100 else { return known }
        let essence = (claim.split(separator: ";").first ?? "").trimmingBlanks().lowercased()
        if essence == "text/plain" { return "text/plain; charset=utf-8" }
        return passive.contains(essence) ? essence : known
    }

    private static let passive: Set = [
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/mpeg", "audio/ogg", "audio/wav",
        "audio/mp4", "audio/flac", "audio/aac", "audio/webm", "video/mp4", "video/webm", "video/ogg", "font/woff2",
        "font/woff", "font/ttf", "font/otf",
    ]
}
