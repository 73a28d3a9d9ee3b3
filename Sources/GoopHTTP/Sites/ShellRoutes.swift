import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// What the page around a site asks of the viewer, under `/api/shell/`.
struct ShellRoutes: Sendable {
    let backend: any ViewerBackend
    let capabilities: CapabilityTable
    let frames: FrameWatch
    let book: (any PeerBook)?
    let headers: SecurityHeaders

    /// `GET /api/shell/site?peer=ID`: `{"path","sequence","leads_to","leads_to_whom","email","shares_email","kept","blocked"}`: the page
    /// that a frame of this site asked for last (null: none yet), where a link out of it leads and whose site that is (null: nobody's),
    /// the owner's e-mail address, whether this site gets it, whether it is kept, and whether the owner has blocked this peer.
    func site(_ admitted: Admitted<ReadRoute>) async -> Response {
        let query = admitted.target.query ?? ""
        guard let peer = QueryText.value(of: "peer", in: query).flatMap({ try? PeerID(text: $0) }) else {
            return refuse(DataError(code: .badRequest, message: "peer is missing", detail: "site?peer=ID"))
        }
        let step = frames.last(of: peer)
        return DataFailure.json(
            [
                "path": step.map { .string($0.path) } ?? .null, "sequence": .integer(Int(step?.sequence ?? 0)),
                "leads_to": step?.leadsTo.map { .string($0) } ?? .null,
                "leads_to_whom": await owner(of: step?.leadsTo).map { .string($0) } ?? .null,
                "email": .string(await backend.selfProfile().email),
                "shares_email": .bool(await backend.hasConsent(.email, for: peer)),
                "kept": .bool(await backend.hasConsent(.keep, for: peer)),
                "blocked": .bool(await book?.isBlocked(peer) ?? false),
            ], headers: headers.viewer())
    }

    /// The owner of the site that a way out leads to, by name and fingerprint; nil for a web address.
    private func owner(of wayOut: String?) async -> String? {
        guard let target = wayOut.flatMap({ RequestTarget(String($0.prefix { $0 != "#" })) }), target.isSite,
            case .file(let peer, _) = SiteAddress(target)
        else { return nil }
        return peer.display(name: await backend.name(of: peer))
    }

    /// What the page asks to be done.
    ///
    /// - `capability {"peer"}` → `{"prefix"}`: a secret path for a browser without origins for sites.
    /// - `leave {"peer"}` → `{}`: the visit is over in the last tab, and the secret path with it, whoever was told of it.
    /// - `consent {"peer","email"}` → `{"shares_email"}`: whether the site learns the owner's e-mail address.
    /// - `keep {"peer"}` → `{"kept"}`: what the site stores in the browser outlasts the visit; undone by `forget`.
    /// - `forget {"peer"}` → `{}`: the consents go; the shell then ends its visit, and has the browser drop the rest. The secret path
    ///   is also that of other tabs, so it stays until `leave`.
    enum Action: CaseIterable {
        case capability, leave, consent, keep, forget
    }

    func post(_ action: Action, _ admitted: Admitted<ChangeRoute>, session: SessionID?) async -> Response {
        do throws(DataError) {
            return DataFailure.json(try await perform(action, admitted.body, session), headers: headers.viewer())
        } catch {
            return refuse(error)
        }
    }

    private func perform(
        _ action: Action, _ body: ByteBuffer, _ session: SessionID?
    ) async throws(DataError) -> JSONValue {
        let object: JSONObject
        do throws(JSONError) {
            object = try JSONParser.parse(body.readableBytesView, limits: .init(bytes: 4096)).object ?? [:]
        } catch {
            throw DataError(code: .badRequest, message: "bad JSON", detail: "\(error)")
        }
        guard let peer = object["peer"]?.string.flatMap({ try? PeerID(text: $0) }) else {
            throw DataError(code: .badRequest, message: "peer is missing", detail: "the id of a peer")
        }
        switch action {
        case .capability:
            return ["prefix": .string(RequestTarget.capabilityPrefix + capabilities.token(of: peer, for: session))]
        case .leave:
            capabilities.revoke(peer, for: session)
            return [:]
        case .consent:
            guard let shares = object["email"]?.bool else {
                throw DataError(code: .badRequest, message: "email is missing", detail: "true or false")
            }
            try await set(.email, shares, peer)
            return ["shares_email": .bool(shares)]
        case .keep:
            try await set(.keep, true, peer)
            return ["kept": true]
        case .forget:
            for consent in SiteConsent.allCases { try await set(consent, false, peer) }
            return [:]
        }
    }

    private func set(_ consent: SiteConsent, _ given: Bool, _ peer: PeerID) async throws(DataError) {
        do {
            try await backend.setConsent(consent, given, for: peer)
        } catch {
            throw DataError(code: .internalFailure, message: "this could not be kept", detail: "\(error)")
        }
    }

    private func refuse(_ error: DataError) -> Response {
        DataFailure.response(error, headers: headers.viewer())
    }
}
