import HTTPTypes
import NIOCore
import PeerIdentity
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
        #expect(text.ranges(of: Self.tellsItsPlace).count == 1, "the page around the frame follows")
        for forbidden in [
            "eval(", "new Function", "setAttribute(\"style\"", "createElement(\"style\")", "insertAdjacentHTML",
            "document.write",
        ] {
            #expect(!text.contains(forbidden), "\(forbidden) needs more than the content policy of sites")
        }
    }

    /// A page that tells the shell where it is.
    private static let tellsItsPlace = "Symbol.for(\"goop.place\")"

    @Test func whatStandsBehindEachPageLeadsOutAndTellsThePlaceAndNoMore() throws {
        let text = String(buffer: try #require(SDKAssets.byPath[FramePage.script]).body)
        #expect(text.ranges(of: Self.tellsItsPlace).count == 1)
        #expect(text.ranges(of: "Symbol.for(\"goop.links\")").count == 1)
        #expect(!text.contains("window.Goop"))
        #expect(!text.contains("\"*\""), "only the viewer is told")
    }

    @Test func modulesTypesAndStyleSheetsHaveTheirTypes() throws {
        #expect(SDKAssets.byPath["/sdk/goop.mjs"]?.contentType.hasPrefix("text/javascript") == true)
        #expect(SDKAssets.byPath["/sdk/goop-data.mjs"]?.contentType.hasPrefix("text/javascript") == true)
        #expect(SDKAssets.byPath["/sdk/goop-form.css"]?.contentType.hasPrefix("text/css") == true)
        for name in ["goop.d.ts", "goop.d.mts", "goop-data.d.ts", "goop-data.d.mts"] {
            #expect(SDKAssets.byPath["/sdk/\(name)"]?.contentType.hasPrefix("text/plain") == true)
        }
    }

    private func text(_ name: String) throws -> String {
        String(buffer: try #require(SDKAssets.byPath["/sdk/\(name)"]).body)
    }

    /// The values that a module or its types export, by name; of the default the name of what it is.
    private func exports(_ text: String) -> Set<String> {
        var names: Set<String> = []
        for match in text.matches(of: /(?m)^export (?:const|function|class) (\w+)/) { names.insert(String(match.1)) }
        for match in text.matches(of: /(?m)^export (?:const )?\{([^}]*)\}/) {
            names.formUnion(match.1.split { !$0.isLetter }.map(String.init))
        }
        for match in text.matches(of: /(?m)^export default (\w+);/) { names.insert("default: \(match.1)") }
        return names
    }

    @Test(arguments: [
        ("goop", ["data", "identity", "template", "fillTemplate", "group", "mq", "default: Goop"]),
        ("goop-data", ["data", "default: data"]),
    ])
    func aModuleExportsWhatItsTypesSay(name: String, some: [String]) throws {
        let values = exports(try text("\(name).mjs"))
        #expect(values.isSuperset(of: some), "\(values.sorted())")
        // Each of the two kinds of files with types is whole by itself: it names scripts whose types are of that kind.
        for (types, script) in [("d.ts", "js"), ("d.mts", "mjs")] {
            let text = try text("\(name).\(types)")
            #expect(values == exports(text))
            for named in text.matches(of: /from "\.\/([\w-]+)\.(\w+)"/) {
                #expect(named.2 == script && SDKAssets.byPath["/sdk/\(named.1).\(types)"] != nil, "\(named.0)")
            }
        }
    }

    @Test(arguments: promised) func theModuleHasEveryPromisedScript(name: String) throws {
        #expect(try text("goop.mjs").contains("import \"./\(name).js\";"))
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

    /// What the browser cached would outlast the visit, and tell of it by the name of the origin.
    @Test func onTheOriginOfASiteAScriptIsNotStored() async throws {
        let peer = PrivateKey.generate().peerID
        try await withViewer { port in
            let answer = try await request(
                "/sdk/goop-data.js", port: port,
                fields: ["Host: \(peer.base36).localhost:\(port)", "Sec-Fetch-Site: same-origin"])
            #expect(answer.status == 200 && answer["Cache-Control"] == "no-store")
        }
    }
}
