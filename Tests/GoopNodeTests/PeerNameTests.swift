import Multiformats
import PeerIdentity
import Testing

@testable import GoopNode

/// What a person may write for a peer on the command line.
@Suite struct PeerNameTests {
    let ada = PrivateKey.generate().peerID

    @Test func aLinkToASiteMeansItsOwner() throws {
        for id in [ada.base58, ada.base36] {
            for link in [
                "http://127.0.0.1:8080/p/\(id)/", "http://127.0.0.1:8080/p/\(id)", "http://127.0.0.1:8080/p/\(id)#part",
                "http://localhost:9/p/\(id)/a/b.html?q=1#x", "https://me.example.org:8443/p/\(id)?q=/p/",
            ] {
                let found = try PeerName.resolve(link)
                #expect(found.peer == ada && found.address == nil, "\(link)")
            }
        }
    }

    @Test(arguments: [
        "http://127.0.0.1:8080/", "http://127.0.0.1:8080/p/", "http://127.0.0.1:8080/p/nobody/", "http://",
        "https://p/", "http://127.0.0.1:8080/c/token/p/ID/", "ftp://127.0.0.1/p/ID/", "127.0.0.1:8080/p/ID/", "",
    ])
    func whatIsNoSuchLinkIsNobody(_ text: String) async {
        let text = text.replacing("ID", with: ada.base58)
        #expect(await failure { try PeerName.resolve(text) }?.kind == .noInput)
    }

    /// Nobody takes another's place by calling itself like a link to that one's site.
    @Test func aLinkIsNoName() throws {
        let link = "http://127.0.0.1:8080/p/\(ada)/"
        let stranger = PeerName.Candidate(id: PrivateKey.generate().peerID, label: link, petname: "")
        #expect(try PeerName.resolve(link, among: [stranger]).peer == ada)
    }

    /// Ids have no checksum, but a text that holds no key is none.
    @Test(arguments: [
        "12D3KooWrong", "12D3KooWronh", "http://127.0.0.1:8080/p/12D3KooWrong/",
        "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWrong",
    ])
    func aSlipIsNobody(_ text: String) async throws {
        #expect(PeerName.id(in: text) == nil)
        let refused = await failure { try PeerName.resolve(text, among: [PeerName.Candidate(ada)]) }
        #expect(refused?.kind == (text.hasPrefix("/") ? .usage : .noInput), "\(refused as Any)")
        // Who is on a list by such an id, as earlier versions let happen, can be taken off it.
        let slip = PeerName.Candidate(try PeerID(text: "12D3KooWrong"))
        guard text.contains("Wrong"), !text.hasPrefix("/") else { return }
        #expect(try PeerName.resolve(text, among: [slip]).peer == slip.id)
    }

    /// The id of an RSA key is a hash, which tells nothing of its key.
    @Test func theHashOfAKeyIsAnId() throws {
        let text = "QmZRiXYN7cWmAWUnoTvP2MbSAe95VTu1qY8wbUH1uRNbwC"
        #expect(try PeerName.resolve(text).peer.base58 == text)
    }

    /// The own name means oneself, so that the command can say that; but not where a neighbour has the same.
    @Test func theOwnNameIsKnown() throws {
        let own = PeerName.Candidate(id: ada, label: "me", petname: "")
        #expect(try PeerName.resolve("me", own: own).peer == ada)
        let other = PeerName.Candidate(id: PrivateKey.generate().peerID, label: "me", petname: "")
        #expect(try PeerName.resolve("me", among: [other], own: own).peer == other.id)
    }

    @Test func nothingNamesNobody() async {
        let nameless = PeerName.Candidate(ada)
        #expect(await failure { try PeerName.resolve("", among: [nameless], own: nameless) }?.kind == .noInput)
    }

    @Test func aContactNeedsAnAddress() async throws {
        let address = "/ip4/192.0.2.1/tcp/4001/p2p/\(ada)"
        #expect(try PeerService.Options.contact(address).description == address)
        for text in [ada.base58, "http://127.0.0.1:8080/p/\(ada)/"] {
            let refused = await failure { try PeerService.Options.contact(text) }
            #expect(refused?.kind == .usage)
            #expect(refused?.nextStep == "write /ip4/ADDRESS/tcp/PORT/p2p/\(ada)")
        }
        for text in ["192.168.1.5:4001", "Ada", "12D3KooWrong", ""] {
            let refused = await failure { try PeerService.Options.contact(text) }
            #expect(refused?.kind == .usage && refused?.cause == "--contact takes an address, and \(text) is none")
            #expect(refused?.nextStep.contains("/ip4/192.168.1.5/tcp/4001/p2p/12D3Koo...") == true)
        }
        #expect(await failure { try PeerService.Options.contact("/ip4/192.0.2.1/tcp/4001") }?.kind == .usage)
    }
}
