import HTTPTypes
import NIOCore

/// The files of the viewer, compiled into the program.
struct WebAssets: Sendable {
    struct Asset: Sendable {
        let contentType: String
        let body: ByteBuffer
        /// Changes with the bytes, so browsers ask again but load only what changed.
        let tag: String

        init(contentType: String, bytes: [UInt8]) {
            self.contentType = contentType
            body = ByteBuffer(bytes: bytes)
            // FNV-1a: the tag has to differ between two builds, not to withstand anybody.
            let hash = bytes.reduce(into: 0xcbf2_9ce4_8422_2325 as UInt64) { hash, byte in
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
            }
            tag = "\"\(String(hash, radix: 16))\""
        }
    }

    let index = Asset(contentType: "text/html; charset=utf-8", bytes: PackageResources.index_html)
    let byPath = [
        "/assets/viewer.css": Asset(contentType: "text/css; charset=utf-8", bytes: PackageResources.viewer_css),
        "/assets/viewer.js": Asset(contentType: "text/javascript; charset=utf-8", bytes: PackageResources.viewer_js),
        "/assets/identicon.js": Asset(
            contentType: "text/javascript; charset=utf-8", bytes: PackageResources.identicon_js),
        "/assets/icon.svg": Asset(contentType: "image/svg+xml", bytes: PackageResources.icon_svg),
    ]
    /// Style sheet of the pages that explain something and load nothing.
    let noticeStyle = HTMLText(stringLiteral: String(decoding: PackageResources.notice_css, as: UTF8.self))
}
