/// Media types by file name, for answers under `/p/`.
///
/// What a browser does with a file hangs on its type, so it is decided here and not by the stranger who sent the
/// file: the extension decides; for an unknown one the stranger's word counts only among types that are shown or
/// played, never run.
enum MediaTypes {
    /// For everything that has no better name; browsers offer it as a download.
    static let unknown = "application/octet-stream"

    /// The type to send for a file.
    /// - Parameters:
    ///   - path: decoded path within the site; a trailing slash means the index page of a folder.
    ///   - claim: what the other side said.
    static func type(forPath path: String, claim: String) -> String {
        if path.hasSuffix("/") { return "text/html; charset=utf-8" }
        let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        if let dot = name.lastIndex(of: "."), dot != name.startIndex,
            let known = byExtension[name[name.index(after: dot)...].lowercased()]
        {
            return known
        }
        return harmless(claim) ?? unknown
    }

    /// The claimed type without its parameters, if it is one that is only ever shown or played.
    private static func harmless(_ claim: String) -> String? {
        guard claim.utf8.count <= 100 else { return nil }
        let essence = (claim.split(separator: ";").first ?? "").trimmingBlanks().lowercased()
        guard let type = passive[essence] else { return nil }
        return type
    }

    private static let passive: [String: String] = {
        var types = Dictionary(
            uniqueKeysWithValues: [
                "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/mpeg", "audio/ogg",
                "audio/wav", "audio/mp4", "audio/flac", "audio/aac", "audio/webm", "video/mp4", "video/webm", "video/ogg",
                "font/woff2", "font/woff", "font/ttf", "font/otf",
            ].map { ($0, $0) })
        types["text/plain"] = "text/plain; charset=utf-8"
        return types
    }()

    private static let byExtension: [String: String] = [
        // Run or rendered with scripts: only ever by extension.
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8",
        "xhtml": "application/xhtml+xml; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml", "xml": "application/xml; charset=utf-8", "pdf": "application/pdf",
        "wasm": "application/wasm",
        // Data and text.
        "json": "application/json", "map": "application/json", "geojson": "application/geo+json",
        "webmanifest": "application/manifest+json", "rss": "application/rss+xml", "atom": "application/atom+xml",
        "txt": "text/plain; charset=utf-8", "log": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8",
        "csv": "text/csv; charset=utf-8", "ics": "text/calendar; charset=utf-8", "vcf": "text/vcard; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
        // Pictures.
        "png": "image/png", "apng": "image/apng", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "webp": "image/webp", "avif": "image/avif", "bmp": "image/bmp", "ico": "image/x-icon", "tif": "image/tiff",
        "tiff": "image/tiff",
        // Sound and film.
        "mp3": "audio/mpeg", "m4a": "audio/mp4", "aac": "audio/aac", "oga": "audio/ogg", "ogg": "audio/ogg",
        "opus": "audio/ogg", "wav": "audio/wav", "flac": "audio/flac", "weba": "audio/webm", "mid": "audio/midi",
        "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg", "mov": "video/quicktime",
        // Fonts.
        "woff2": "font/woff2", "woff": "font/woff", "ttf": "font/ttf", "otf": "font/otf",
        // Archives and books.
        "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar",
        "7z": "application/x-7z-compressed", "epub": "application/epub+zip",
    ]
}
