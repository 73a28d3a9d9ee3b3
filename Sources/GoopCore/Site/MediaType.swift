/// Media types by file name extension.
public enum MediaType {
    /// What is said of a file whose extension is not in the table.
    public static let unknown = "application/octet-stream"

    /// The media type for a file name, by the letters after its last dot in any case; text types name their charset.
    public static func ofFile(named name: some StringProtocol) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return unknown }
        return table[name[name.index(after: dot)...].lowercased()] ?? unknown
    }

    private static let table: [String: String] = [
        "aac": "audio/aac", "apng": "image/apng", "atom": "application/atom+xml", "avif": "image/avif",
        "bmp": "image/bmp", "bz2": "application/x-bzip2", "c": "text/plain; charset=utf-8",
        "conf": "text/plain; charset=utf-8", "css": "text/css; charset=utf-8", "csv": "text/csv; charset=utf-8",
        "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "eot": "application/vnd.ms-fontobject", "epub": "application/epub+zip", "flac": "audio/flac",
        "gif": "image/gif", "go": "text/plain; charset=utf-8", "gz": "application/gzip",
        "h": "text/plain; charset=utf-8", "htm": "text/html; charset=utf-8", "html": "text/html; charset=utf-8",
        "ico": "image/vnd.microsoft.icon", "ics": "text/calendar; charset=utf-8", "jpeg": "image/jpeg",
        "jpg": "image/jpeg", "js": "text/javascript; charset=utf-8", "json": "application/json",
        "jsonld": "application/ld+json", "jxl": "image/jxl", "log": "text/plain; charset=utf-8",
        "m4a": "audio/mp4", "m4v": "video/mp4", "map": "application/json",
        "markdown": "text/markdown; charset=utf-8", "md": "text/markdown; charset=utf-8", "mid": "audio/midi",
        "mjs": "text/javascript; charset=utf-8", "mkv": "video/x-matroska", "mov": "video/quicktime",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg",
        "odp": "application/vnd.oasis.opendocument.presentation",
        "ods": "application/vnd.oasis.opendocument.spreadsheet", "odt": "application/vnd.oasis.opendocument.text",
        "oga": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg", "opus": "audio/ogg", "otf": "font/otf",
        "pdf": "application/pdf", "png": "image/png", "ppt": "application/vnd.ms-powerpoint",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "py": "text/plain; charset=utf-8", "rss": "application/rss+xml", "rtf": "application/rtf",
        "svg": "image/svg+xml", "swift": "text/plain; charset=utf-8", "tar": "application/x-tar",
        "tif": "image/tiff", "tiff": "image/tiff", "toml": "text/plain; charset=utf-8", "ttf": "font/ttf",
        "txt": "text/plain; charset=utf-8", "vtt": "text/vtt; charset=utf-8", "wasm": "application/wasm",
        "wav": "audio/wav", "weba": "audio/webm", "webm": "video/webm",
        "webmanifest": "application/manifest+json", "webp": "image/webp", "woff": "font/woff",
        "woff2": "font/woff2", "xhtml": "application/xhtml+xml", "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml": "text/xml; charset=utf-8", "yaml": "text/plain; charset=utf-8", "yml": "text/plain; charset=utf-8",
        "zip": "application/zip", "zst": "application/zstd",
    ]
}
