import HTTPTypes
import HummingbirdCore
import NIOCore

/// The browser SDK under `/sdk/`: the same public files for every site, compiled into the program.
///
/// Every script gets what pages in frames have, and the SDK's common ground put in front, so that it works alone and in any order;
/// all of that does nothing the second time. Source: the names are upstream's (viewer wire reference, section 8), the code is ours.
enum SDKAssets {
    /// By path, beginning with `/sdk/`.
    static let byPath: [String: WebAssets.Asset] = {
        var assets: [String: WebAssets.Asset] = [:]
        // Ways out of the frame, and where the page is.
        let inFrames = PackageResources.goop_links_js + PackageResources.goop_place_js
        let ground = inFrames + PackageResources.goop_base_js
        for (name, bytes) in scripts {
            assets["/sdk/\(name).js"] = .init(contentType: "text/javascript; charset=utf-8", bytes: ground + bytes)
        }
        assets[FramePage.script] = .init(contentType: "text/javascript; charset=utf-8", bytes: inFrames)
        // The inputs of forms are one script, whichever of upstream's names asks for it.
        for name in ["datepicker", "colorpicker", "toggle", "taginput", "stepper"] {
            assets["/sdk/goop-component-\(name).js"] = assets["/sdk/goop-form.js"]
        }
        for (name, bytes) in [("goop", PackageResources.goop_mjs), ("goop-data", PackageResources.goop_data_mjs)] {
            assets["/sdk/\(name).mjs"] = .init(contentType: "text/javascript; charset=utf-8", bytes: bytes)
        }
        for (name, bytes) in [("goop", PackageResources.goop_d_ts), ("goop-data", PackageResources.goop_data_d_ts)] {
            // TypeScript looks for the types of X.mjs in X.d.mts, and of X.js in X.d.ts.
            let ofModule = String(decoding: bytes, as: UTF8.self)
                .replacing(".d.ts", with: ".d.mts").replacing(".js\"", with: ".mjs\"")
            for (ending, bytes) in [("d.ts", bytes), ("d.mts", Array(ofModule.utf8))] {
                assets["/sdk/\(name).\(ending)"] = .init(contentType: "text/plain; charset=utf-8", bytes: bytes)
            }
        }
        for (name, bytes) in [
            ("goop-form", PackageResources.goop_form_css), ("goop-components", PackageResources.goop_components_css),
        ] {
            assets["/sdk/\(name).css"] = .init(contentType: "text/css; charset=utf-8", bytes: bytes)
        }
        return assets
    }()

    private static let scripts: [(name: String, bytes: [UInt8])] = [
        ("goop-data", PackageResources.goop_data_js),
        ("goop-identity", PackageResources.goop_identity_js),
        ("goop-peers", PackageResources.goop_peers_js),
        ("goop-router", PackageResources.goop_router_js),
        ("goop-site", PackageResources.goop_site_js),
        ("goop-template", PackageResources.goop_template_js),
        ("goop-group", PackageResources.goop_group_js),
        ("goop-mq", PackageResources.goop_mq_js),
        ("goop-form", PackageResources.goop_form_js),
        ("goop-forms", PackageResources.goop_forms_js),
        ("goop-component-base", PackageResources.goop_component_base_js),
        ("goop-component-template", PackageResources.goop_component_template_js),
        ("goop-component-dialog", PackageResources.goop_component_dialog_js),
        ("goop-component-toast", PackageResources.goop_component_toast_js),
        ("goop-component-toolbar", PackageResources.goop_component_toolbar_js),
        ("goop-component-drag", PackageResources.goop_component_drag_js),
    ]

    /// The answer to a request for an SDK file; nil when there is no such file.
    ///
    /// The files are the same for everybody, but a page elsewhere that could load them would know that a Goop² runs here.
    /// - Parameters:
    ///   - path: begins with `/sdk/`.
    ///   - isOfSite: asked for where a site is. There it is `no-store`, and sent again for each page: a copy that the browser
    ///     could revalidate would have the name of the site's origin beside it, and stay after the visit.
    ///   - opensToOpaque: a page with an opaque origin, to which everything is foreign, may load the file.
    ///   - headers: the header fields of the place that was asked.
    static func response(
        path: String, request: Request, headers: HTTPFields, isOfSite: Bool = false, opensToOpaque: Bool = false
    ) -> Response? {
        guard let asset = byPath[path] else { return nil }
        var fields = headers
        fields[.cacheControl] = isOfSite ? "no-store" : "no-cache"
        fields[.eTag] = asset.tag
        fields[.vary] = "Origin, Sec-Fetch-Site"
        if opensToOpaque {
            fields[.crossOriginResourcePolicy] = "cross-origin"
            fields[.accessControlAllowOrigin] = "null"
        }
        if request.headers[.ifNoneMatch] == asset.tag { return Response(status: .notModified, headers: fields) }
        fields[.contentType] = asset.contentType
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: asset.body))
    }
}
