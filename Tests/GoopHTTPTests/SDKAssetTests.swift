import HTTPTypes
import NIOCore
import Testing

@testable import GoopHTTP

/// What sites of old find under `/sdk/`, and that nothing there needs more than the content policy gives.
@Suite struct SDKAssetTests {
    /// Source: viewer wire reference, section 8, last paragraph.
    static let promised = [
        "goop-data", "goop-identity", "goop-peers", "goop-form", "goop-forms", "goop-group", "goop-mq", "goop-site",
        "goop-router", "goop-template", "goop-component-base", "goop-component-template", "goop-component-dialog",
        "goop-component-toast", "goop-component-toolbar", "goop-component-drag",
    ]

    @Test(arguments: promised) func everyPromisedScriptWorksAlone(name: String) throws {
        let asset = try #require(SDKAssets.byPath["/sdk/\(name).js"])
        #expect(asset.contentType == "text/javascript; charset=utf-8")
        let text = String(buffer: asset.body)
        #expect(text.contains("Goop.http = {"), "the common ground is in front")
        for forbidden in [
            "eval(", "new Function", "setAttribute(\"style\"", "createElement(\"style\")", "insertAdjacentHTML",
            "document.write",
        ] {
            #expect(!text.contains(forbidden), "\(forbidden) needs more than the content policy of sites")
        }
    }

    @Test func modulesTypesAndStyleSheetsHaveTheirTypes() throws {
        #expect(SDKAssets.byPath["/sdk/goop.mjs"]?.contentType.hasPrefix("text/javascript") == true)
        #expect(SDKAssets.byPath["/sdk/goop-data.mjs"]?.contentType.hasPrefix("text/javascript") == true)
        #expect(SDKAssets.byPath["/sdk/goop-form.css"]?.contentType.hasPrefix("text/css") == true)
        let types = try #require(SDKAssets.byPath["/sdk/goop.d.ts"])
        #expect(String(buffer: types.body).contains("export const data: Data;"))
    }

    @Test(arguments: [
        ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"],
        ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Referer: http://evil.example/"],
        ["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Origin: http://127.0.0.1:1"],
        ["Origin: null"], ["Origin: http://evil.example"],
    ])
    func aPageElsewhereDoesNotLearnThatAViewerIsHere(_ fields: [String]) async throws {
        try await withViewer { port in
            let answer = try await request("/sdk/goop-data.js", port: port, fields: fields)
            #expect(answer.status == 403)
            #expect(answer["Access-Control-Allow-Origin"] == nil)
            #expect(answer["Cross-Origin-Resource-Policy"] == "same-origin")
        }
    }

    @Test func aScriptIsRevalidated() async throws {
        try await withViewer { port in
            let answer = try await request("/sdk/goop-data.js", port: port, fields: ["Sec-Fetch-Site: same-origin"])
            #expect(answer.status == 200)
            #expect(answer["Content-Type"] == "text/javascript; charset=utf-8")
            #expect(answer["Cross-Origin-Resource-Policy"] == "same-origin")
            let tag = try #require(answer["ETag"])
            let again = try await request("/sdk/goop-data.js", port: port, fields: ["If-None-Match: \(tag)"])
            #expect(again.status == 304)
            #expect(again.body.isEmpty)
            #expect(try await request("/sdk/goop-nothing.js", port: port).status == 404)
        }
    }
}
