import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity
import Testing

@testable import GoopHTTP

/// The control guard by itself: also those of its checks that no route leaves to it alone.
@Suite struct ControlGuardTests {
    private let control = ControlGuard(
        token: ControlToken(), headers: SecurityHeaders(origin: "http://127.0.0.1:8080"))

    private func request(_ method: HTTPRequest.Method = .post, body: ByteBuffer = ByteBuffer(string: "{}")) -> Request {
        var fields: HTTPFields = [.contentType: "application/json"]
        fields[.goopToken] = control.token.text
        return Request(
            head: HTTPRequest(
                method: method, scheme: "http", authority: "127.0.0.1:8080", path: "/", headerFields: fields),
            body: RequestBody(buffer: body))
    }

    private func status(of request: Request, place: RequestPlace = .viewer) async -> Int {
        switch await control.admit(request, place: place, maximumBodyBytes: 16) {
        case .admitted: 200
        case .refused(let response): response.status.code
        }
    }

    @Test func onlyAtTheViewersOwnAddress() async {
        let peer = PrivateKey.generate().peerID
        #expect(await status(of: request()) == 200)
        #expect(await status(of: request(), place: .site(peer)) == 403)
        #expect(await status(of: request(), place: .capability(peer)) == 403)
    }

    @Test(arguments: [HTTPRequest.Method.get, .head, .put, .delete, .options])
    func onlyByPost(_ method: HTTPRequest.Method) async {
        #expect(await status(of: request(method)) == 405)
    }

    /// The length that is announced may be missing; what counts is what comes.
    @Test func aBodyOfSixteenBytesAndNoMore() async {
        #expect(await status(of: request(body: ByteBuffer(repeating: 0x20, count: 16))) == 200)
        #expect(await status(of: request(body: ByteBuffer(repeating: 0x20, count: 17))) == 413)
    }
}
