import Testing

@testable import GoopCore

@Suite struct MediaTypeTests {
    @Test(arguments: [
        ("woff2", "font/woff2"), ("woff", "font/woff"), ("ttf", "font/ttf"), ("otf", "font/otf"),
        ("wasm", "application/wasm"), ("avif", "image/avif"), ("webp", "image/webp"), ("jxl", "image/jxl"),
        ("png", "image/png"), ("jpg", "image/jpeg"), ("gif", "image/gif"), ("apng", "image/apng"),
        ("ico", "image/vnd.microsoft.icon"), ("svg", "image/svg+xml"), ("bmp", "image/bmp"), ("heic", "image/heic"),
        ("mp4", "video/mp4"), ("m4v", "video/mp4"), ("webm", "video/webm"), ("mov", "video/quicktime"),
        ("ogv", "video/ogg"), ("mkv", "video/x-matroska"), ("m3u8", "application/vnd.apple.mpegurl"),
        ("m4a", "audio/mp4"), ("opus", "audio/ogg"), ("ogg", "audio/ogg"), ("mp3", "audio/mpeg"), ("wav", "audio/wav"),
        ("flac", "audio/flac"), ("aac", "audio/aac"), ("weba", "audio/webm"), ("mid", "audio/midi"),
        ("json", "application/json"), ("map", "application/json"), ("jsonld", "application/ld+json"),
        ("geojson", "application/geo+json"), ("webmanifest", "application/manifest+json"), ("xml", "application/xml"),
        ("rss", "application/rss+xml"), ("atom", "application/atom+xml"), ("ics", "text/calendar; charset=utf-8"),
        ("vcf", "text/vcard; charset=utf-8"), ("csv", "text/csv; charset=utf-8"), ("vtt", "text/vtt; charset=utf-8"),
        ("tsv", "text/tab-separated-values; charset=utf-8"), ("md", "text/markdown; charset=utf-8"),
        ("txt", "text/plain; charset=utf-8"), ("html", "text/html; charset=utf-8"), ("css", "text/css; charset=utf-8"),
        ("js", "text/javascript; charset=utf-8"), ("mjs", "text/javascript; charset=utf-8"), ("pdf", "application/pdf"),
        ("epub", "application/epub+zip"), ("zip", "application/zip"), ("gz", "application/gzip"),
        ("zst", "application/zstd"), ("7z", "application/x-7z-compressed"), ("tar", "application/x-tar"),
        ("gltf", "model/gltf+json"), ("glb", "model/gltf-binary"), ("stl", "model/stl"), ("obj", "model/obj"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("odt", "application/vnd.oasis.opendocument.text"), ("py", "text/plain; charset=utf-8"),
        ("ts", "text/plain; charset=utf-8"), ("c", "text/plain; charset=utf-8"), ("yaml", "text/plain; charset=utf-8"),
    ])
    func whatSitesUse(name: String, type: String) {
        #expect(MediaType.ofFile(named: "a.b." + name.uppercased()) == type)
    }

    /// What a browser would run, or give the rights of its site: exactly these, whatever the list that the table is made of
    /// takes in one day.
    @Test func nothingElseIsActive() {
        let active: [String: String] = [
            "html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "xht": "application/xhtml+xml",
            "svg": "image/svg+xml", "xml": "application/xml", "xsd": "application/xml", "xsl": "application/xslt+xml",
            "xslt": "application/xslt+xml", "atom": "application/atom+xml", "rss": "application/rss+xml",
            "js": "text/javascript", "mjs": "text/javascript", "cjs": "text/javascript", "css": "text/css",
            "wasm": "application/wasm",
        ]
        func isActive(_ essence: String) -> Bool {
            essence.hasSuffix("+xml") || essence.hasSuffix("/xml") || essence.contains("script/")
                || [
                    "html", "css", "wasm", "javascript", "ecmascript", "jscript", "livescript", "vbscript", "component",
                ]
                .contains { essence.split(separator: "/").last?.contains($0) == true }
                || essence.contains("x-httpd") || essence.hasSuffix("/hta") || essence.hasPrefix("multipart/")
                || essence.hasPrefix("message/") || essence == "text/cache-manifest" || essence.contains("*")
        }
        var found: [String: String] = [:]
        for (name, type) in MediaType.table {
            let essence = String(type.split(separator: ";").first ?? "")
            if isActive(essence) { found[name] = essence }
        }
        #expect(found == active)
    }

    /// The extensions under which other systems ran scripts, or which only look like those that do.
    @Test(arguments: [
        "shtml", "phtml", "php", "asp", "jsp", "hta", "htc", "mht", "mhtml", "eml", "svgz", "es", "jse", "vbs", "wsf",
        "xul", "xbl", "rdf", "mathml", "kml", "gpx", "dae", "appcache", "manifest", "html5", "htmlx", "js ", "js%00",
        "",
        "html.", "ｈｔｍｌ", "ſvg", "jſ",
    ])
    func nothingIsMadeOfThese(name: String) {
        #expect(MediaType.ofFile(named: "file." + name) == MediaType.unknown)
    }

    @Test func everyEntryIsWellFormed() {
        #expect(MediaType.table.count > 500)
        for (name, type) in MediaType.table {
            #expect(!name.isEmpty && name == name.lowercased() && !name.contains("."), "\(name)")
            let parts = type.split(separator: "/", omittingEmptySubsequences: false)
            #expect(parts.count == 2 && parts.allSatisfy { !$0.isEmpty }, "\(name): \(type)")
            let isText = type.hasPrefix("text/")
            #expect(type.hasSuffix("; charset=utf-8") == isText, "\(name): \(type)")
            #expect(type.utf8.allSatisfy { $0 > 0x1F && $0 < 0x7F } && type == type.lowercased(), "\(name): \(type)")
        }
    }
}
