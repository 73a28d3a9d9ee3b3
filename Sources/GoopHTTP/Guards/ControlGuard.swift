import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// The secret that only the viewer's own pages hold: new with every process, never in a log, never on a site's origin.
struct ControlToken: Sendable, CustomStringConvertible {
    /// 64 hexadecimal digits.
    let text: String

    init() {
        var generator = SystemRandomNumberGenerator()
        text = (0..<4).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Compares in a time that depends on the length only.
    func matches(_ given: String?) -> Bool {
        guard let given, given.utf8.count == text.utf8.count else { return false }
        return zip(given.utf8, text.utf8).reduce(into: 0 as UInt8) { $0 |= $1.0 ^ $1.1 } == 0
    }

    var description: String { "…" }
}

/// Guards every route of the viewer that changes something or tells a secret.
///
/// A request passes if all of this holds: it is a POST to the viewer's own address (`RequestGuard` has compared the
/// exact `Host`), no other page made it (`Origin`, `Sec-Fetch-Site`), it carries the token, its type is the expected one,
/// and its body is not too large. Any one of the first three stops a page elsewhere; all of them are checked.
///
/// `RouteGuard` asks it, for every route whose rule says `tokenHolder`; no route asks it itself.
///
/// In a page, whose HTML has `<meta name="goop-token" content="{{token}}">` (see `WebAssets.page`):
///
///     fetch(path, {method: "POST", body: JSON.stringify(value), headers: {"Content-Type": "application/json",
///       "X-Goop-Token": document.querySelector('meta[name="goop-token"]').content}})
struct ControlGuard: Sendable {
    /// The largest JSON body, in bytes, unless a route says otherwise.
    static let maximumBodyBytes = 64 * 1024

    enum Admission: Sendable {
        case admitted(ByteBuffer)
        /// The answer that says why not, as `{"error","code","detail"}`; to a page whose token is not good also
        /// `"kind":"outdated"`.
        case refused(Response)
    }

    let token: ControlToken
    let headers: SecurityHeaders

    /// Checks everything and reads the body.
    func admit(
        _ request: Request, place: RequestPlace, type: String = "application/json",
        maximumBodyBytes: Int = Self.maximumBodyBytes
    ) async -> Admission {
        if let refused = refusal(of: request, place: place, type: type, maximumBodyBytes: maximumBodyBytes) {
            return .refused(refused)
        }
        var body = ByteBuffer()
        do {
            for try await chunk in request.body {
                guard body.readableBytes + chunk.readableBytes <= maximumBodyBytes else {
                    return .refused(refuse(.tooLarge, "the request is too large", "at most \(maximumBodyBytes) bytes"))
                }
                body.writeImmutableBuffer(chunk)
            }
        } catch {
            return .refused(refuse(.badRequest, "the request ended early", "its body is not complete"))
        }
        return .admitted(body)
    }

    /// Checks everything but the body, for a route that reads a long body itself; nil when the request may pass.
    ///
    /// Such a route must count the bytes it reads: the announced length is checked here, not the real one.
    func refusal(of request: Request, place: RequestPlace, type: String, maximumBodyBytes: Int) -> Response? {
        guard place == .viewer else {
            return refuse(.refused, "not from here", "only a page of the viewer can do this")
        }
        guard request.method == .post else {
            var response = refuse(.badRequest, "POST is needed", "this changes something")
            response.status = .methodNotAllowed
            response.headers[.allow] = "POST"
            return response
        }
        let origin = RequestOrigin(request.headers, ownOrigin: headers.origin)
        guard origin.site == .sameOrigin || origin.site == .unknown, !origin.isForeignPage, !origin.isOpaqueScript
        else {
            return refuse(.refused, "not from here", "another page asked for this")
        }
        let tokens = request.headers[values: .goopToken]
        guard tokens.count == 1, token.matches(tokens.first) else {
            return refuse(
                .refused, "the token is missing or old", "reload the page: the viewer has been started again since",
                kind: "outdated")
        }
        guard Self.essence(request.headers[.contentType]) == type else {
            return refuse(.badRequest, "\(type) is needed", "send the header Content-Type: \(type)")
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maximumBodyBytes {
            return refuse(.tooLarge, "the request is too large", "at most \(maximumBodyBytes) bytes")
        }
        return nil
    }

    private func refuse(
        _ code: DataErrorCode, _ message: String, _ detail: String, kind: String? = nil
    ) -> Response {
        let error = DataError(code: code, message: message, detail: detail)
        var response = DataFailure.response(error, headers: headers.viewer(), kind: kind)
        // The body was not read; what is left of it would be taken for the next request.
        response.headers[.connection] = "close"
        return response
    }

    private static func essence(_ type: String?) -> String {
        (type ?? "").prefix { $0 != ";" }.trimmingBlanks().lowercased()
    }
}

extension HTTPField.Name {
    /// `X-Goop-Token`, which no form and no simple request of another origin can carry.
    static let goopToken = HTTPField.Name("X-Goop-Token") ?? .authorization
}
