import GoopCore
import Testing

@testable import GoopNode

/// Every starter site: complete, free of marks, within what the content policy of sites allows, and never written over
/// what an owner has.
@Suite struct StarterSiteTests {
    @Test(arguments: StarterSite.allCases) func filesAreCompleteAndAllowed(site: StarterSite) throws {
        let files = site.files(label: "A & <B> {{ROOT}} {{STYLE}}")
        #expect(files.contains { $0.name == "index.html" })
        #expect(files.contains { $0.name == "style.css" })
        #expect(Set(files.map(\.name)).count == files.count)
        for (name, text) in files {
            #expect(!text.contains("{{"), "\(name) has a mark left")
            #expect(!text.isEmpty)
            guard name.hasSuffix(".html") else { continue }
            #expect(
                text.contains("A &amp; &lt;B&gt; &#123;&#123;ROOT}} &#123;&#123;STYLE}}"),
                "\(name) does not say whose it is")
            #expect(text.contains("<html lang=\"en\">") && text.contains("name=\"viewport\""))
            for forbidden in ["<style", " style=", " onclick=", "<script>", "javascript:", "http://", "https://"] {
                #expect(!text.contains(forbidden), "\(name): \(forbidden)")
            }
            // Every file that a page names is there, or one of the SDK.
            for part in text.split(separator: "\"") where part.hasSuffix(".js") || part.hasSuffix(".css") {
                if part.hasPrefix("/sdk/") { continue }
                let folder = name.split(separator: "/").dropLast().map { $0 + "/" }.joined()
                let path = part.hasPrefix("../") ? String(part.dropFirst(3)) : folder + part
                #expect(files.contains { $0.name == path }, "\(name) names \(part)")
            }
        }
    }

    @Test func tablesSayWhoMayDoWhat() throws {
        #expect(StarterSite.plain.tables == [])
        #expect(StarterSite.neighbour.tables.map(\.name) == ["guestbook", "votes", "posts"])
        for table in StarterSite.neighbour.tables {
            let access = try #require(table.schema.object?["access"]?.object)
            #expect(access["read"]?.string == "open")
            #expect(access["insert"]?.string == (table.name == "posts" ? "owner" : "open"))
            #expect(access["update"]?.string == "owner")
            #expect(access["delete"]?.string == "owner")
        }
    }

    @Test(arguments: [StarterSite.guestbook, .neighbour]) func whatAnOwnerHasIsLeftAlone(site: StarterSite) throws {
        let temporary = TemporaryFolder()
        temporary.write("mine", to: "ada/site/index.html")
        let peer = try PreparedPeer.open(
            PeerFolder(temporary.path + "/ada/"), options: .init(createsMissing: true, starterSite: site))
        #expect(temporary.read("ada/site/index.html") == "mine")
        #expect(temporary.names(in: "ada/site") == ["index.html"])
        #expect(!peer.created.contains("starter site"))
    }

    @Test func theNeighbourHasThreeFoldersInOneSite() throws {
        let temporary = TemporaryFolder()
        let peer = try PreparedPeer.open(
            PeerFolder(temporary.path + "/ada/"),
            options: .init(createsMissing: true, label: "Nora", starterSite: .neighbour))
        #expect(peer.created.contains("starter site"))
        #expect(temporary.names(in: "ada/site") == ["blog", "guestbook", "index.html", "poll", "style.css"])
        #expect(temporary.read("ada/site/guestbook/index.html")?.contains("Guestbook of Nora") == true)
        #expect(temporary.mode("ada/site/guestbook/guestbook.js") == 0o644)
    }
}
