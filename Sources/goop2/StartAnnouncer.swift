import GoopCore
import GoopNode
import Multiformats
import PeerIdentity

/// Tells the owner how the start goes: a few lines of text, or JSON lines.
struct StartAnnouncer: Sendable {
    let isJSON: Bool
    let isLocal: Bool
    /// Whose start it is.
    let id: PeerID
    private let told = ToldPeers()

    /// A machine can have dozens of addresses; the Network room shows them all.
    private static let mostAddresses = 8

    func opened(_ peer: PreparedPeer) {
        let label = TerminalText.safe(peer.configuration.profile.label)
        for note in peer.notes { Console.note("goop2: note: \(TerminalText.safe(note, maximumCharacters: 600))") }
        if isJSON {
            say(json: [
                "event": "opened", "id": .string(id.base58), "label": .string(peer.configuration.profile.label),
                "created": .array(peer.created.map { .string($0) }),
            ])
            return
        }
        if let line = StartAnnouncer.creation(of: peer, isLocal: isLocal) { say(line) }
        say(label.isEmpty ? "You have no name; your id is \(id.base58)" : "You are \(label), \(id.base58)")
    }

    /// Two lines: what was created, and who will see it; nil if nothing was.
    static func creation(of peer: PreparedPeer, isLocal: Bool) -> String? {
        guard !peer.created.isEmpty else { return nil }
        let label = TerminalText.safe(peer.configuration.profile.label)
        // It listens on all addresses: the local network is where it is announced, and not the limit.
        let visitors = isLocal ? "on this machine" : "who can reach this machine (your local network first of all)"
        let seen = label.isEmpty ? "; it has no name yet" : " and the name \(label)"
        return
            "Created \(peer.folder.path): \(peer.created.joined(separator: ", ")).\n"
            + "While it runs, everyone \(visitors) can see the files in \(peer.siteRoot)\(seen)."
    }

    /// The addresses by which others can name this peer, a line each; the loopback ones only where there are no others.
    static func contacts(_ addresses: [Multiaddr], of id: PeerID) -> [String] {
        let outward = addresses.filter { !$0.isLoopback }
        let shown = outward.isEmpty ? addresses : outward
        var lines = shown.prefix(mostAddresses).map { "  \($0.appending(id))" }
        if shown.count > mostAddresses { lines.append("  and \(shown.count - mostAddresses) more") }
        return lines
    }

    /// The note about somebody who says that they are this peer: as much as was heard, for multicast is not signed.
    static func note(ofTwinAt place: String) -> String {
        let who = place == "this computer" ? "another program on this computer" : "somebody at \(place)"
        return "goop2: note: \(who) says on the local network that it is this peer: a second program with its key, "
            + "such as a restored backup, or a forgery; next: if you have started it twice, stop one of the two, for "
            + "whoever visits you gets now the one, now the other"
    }

    func happened(_ event: PeerService.Event) {
        switch event {
        case .listening(let addresses):
            if isJSON {
                say(json: ["event": "listening", "addresses": .array(addresses.map { .string($0.description) })])
            } else {
                let use =
                    addresses.allSatisfy(\.isLoopback)
                    ? "Only programs on this computer can reach you\(isLocal ? " (--local)" : ""):"
                    : "Whoever can reach this computer from elsewhere starts theirs with --contact and one of:"
                say(([use] + StartAnnouncer.contacts(addresses, of: id)).joined(separator: "\n"))
            }
        case .viewer(let url):
            if isJSON {
                say(json: ["event": "viewer", "url": .string(url)])
            } else {
                say("Open in your browser: \(url)")
            }
        case .viewerPortTaken(let port, let holder):
            if isJSON {
                say(json: [
                    "event": "viewerPortTaken", "port": .integer(port), "holder": holder.map { .string($0) } ?? .null,
                ])
            } else {
                say("  and not at port \(port), which \(TerminalText.safe(holder ?? "another program")) has")
            }
        case .viewerBeyond(let urls):
            if isJSON {
                say(json: ["event": "viewerBeyond", "urls": .array(urls.map { .string($0) })])
            } else {
                say("From other computers, with the password: \(urls.joined(separator: ", "))")
            }
        case .viewerBeyondClosed:
            if isJSON {
                say(json: ["event": "viewerBeyondClosed"])
            } else {
                say("The viewer is closed for other computers now, as the settings say.")
            }
        case .twin(let place):
            if isJSON { say(json: ["event": "twin", "place": .string(place)]) }
            Console.note(StartAnnouncer.note(ofTwinAt: place))
        case .ready: if isJSON { say(json: ["event": "ready"]) }
        case .changed(let change): changed(change)
        case .contactFailed(let peer, let addresses, let reason):
            let places = addresses.map(\.description)
            if isJSON {
                say(json: [
                    "event": "contactFailed", "id": .string(peer.base58),
                    "addresses": .array(places.map { .string($0) }), "reason": .string(reason),
                ])
            } else {
                // Others write parts of the reason.
                Console.note(
                    "goop2: note: contact \(places.joined(separator: ", ")) does not answer yet; trying again ("
                        + TerminalText.safe(reason, maximumCharacters: 400) + ")")
            }
        case .contactReached(let peer, let addresses):
            let places = addresses.map(\.description)
            if isJSON {
                say(json: [
                    "event": "contactReached", "id": .string(peer.base58),
                    "addresses": .array(places.map { .string($0) }),
                ])
            } else {
                say("Connected with contact \(places.joined(separator: ", "))")
            }
        case .stopping: if isJSON { say(json: ["event": "stopping"]) } else { Console.note("Goodbye.") }
        }
    }

    private func changed(_ change: PeerChange) {
        guard isJSON, told.isNews(change) else { return }
        switch change {
        case .updated(let entry):
            say(json: [
                "event": "peer", "id": .string(entry.id.base58), "label": .string(entry.label),
                "petname": .string(entry.petname), "state": .string(entry.stateName),
            ])
        case .removed(let id): say(json: ["event": "gone", "id": .string(id.base58)])
        }
    }

    // Nobody reads any more: the peer goes on all the same.
    private func say(_ text: String) { try? Console.answer(text) }
    private func say(json value: JSONValue) { try? Console.answer(jsonLine: value) }
}
