import GoopCore
import GoopStore
import PeerIdentity
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
            // Whoever chooses a site is another than the peer that it was made for first.
            #expect(!text.contains("make run") && !text.contains("sample neighbour"), "\(name)")
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
            let access = try #require(table.access.object)
            #expect(access["read"]?.string == "open")
            #expect(access["insert"]?.string == (table.name == "posts" ? "owner" : "open"))
            #expect(access["update"]?.string == "owner")
            #expect(access["delete"]?.string == "owner")
        }
    }

    @Test func tablesAreMadeOnceWithTheSite() async throws {
        let temporary = TemporaryFolder()
        let folder = PeerFolder(temporary.path + "/ada/")
        let options = PreparedPeer.Options(createsMissing: true, starterSite: .neighbour)
        let first = try PreparedPeer.open(folder, options: options)
        try await first.createStarterTables()
        first.release()
        let second = try PreparedPeer.open(folder, options: options)
        try await second.createStarterTables()
        let store = try DataStore.open(
            path: folder.databaseFile, configuration: .init(owner: second.identity.peerID))
        let visitor = DataCaller.remote(PrivateKey.generate().peerID, email: "")
        let posts = try await store.perform(DataRequest(op: .query, table: "posts"), caller: visitor)
        #expect(posts.array?.count == 1, "one first post, not one each start")
        var post = DataRequest(op: .insert, table: "posts")
        post.data = ["slug": "x", "title": "x", "body": "x"]
        await #expect(throws: DataError.self) { try await store.perform(post, caller: visitor) }
        var entry = DataRequest(op: .insert, table: "guestbook")
        entry.data = ["name": "V", "message": "hello"]
        let answer = try await store.perform(entry, caller: visitor)
        var change = DataRequest(op: .update, table: "guestbook")
        change.id = answer.object?["id"]?.int64
        change.data = ["message": "changed"]
        _ = try await store.perform(change, caller: visitor)
        let stranger = DataCaller.remote(PrivateKey.generate().peerID, email: "")
        await #expect(throws: DataError.self) { try await store.perform(change, caller: stranger) }
        await store.close()
    }

    /// A process that ends between the site and its tables; a start without a starter makes them.
    @Test func tablesAreMadeAtTheNextStartIfTheyWereNot() async throws {
        let temporary = TemporaryFolder()
        let folder = PeerFolder(temporary.path + "/ada/")
        // What was left half made of an earlier try is in nobody's way.
        temporary.write("half", to: "ada/site.goop2-unfinished/index.html")
        try PreparedPeer.open(folder, options: .init(createsMissing: true, starterSite: .guestbook)).release()
        #expect(!temporary.names(in: "ada").contains("data.db"))
        #expect(!temporary.names(in: "ada").contains("site.goop2-unfinished"))
        let peer = try PreparedPeer.open(folder, options: .init(createsMissing: true))
        try await peer.createStarterTables()
        peer.release()
        let store = try DataStore.open(path: folder.databaseFile, configuration: .init(owner: peer.identity.peerID))
        let tables = try await store.perform(DataRequest(op: .tables), caller: .owner)
        #expect(tables.array?.compactMap { $0.object?["name"]?.string } == ["guestbook"])
        await store.close()
        // What the owner removes later is not made again.
        let third = try PreparedPeer.open(folder, options: .init(createsMissing: true))
        #expect(third.starterTables.isEmpty && temporary.read("ada/data/starter") == nil)
        third.release()
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
        #expect(temporary.read("ada/site/guestbook/index.html")?.contains("Guestbook of <bdi>Nora</bdi>") == true)
        #expect(temporary.mode("ada/site/guestbook/guestbook.js") == 0o644)
    }
}
