import LibP2P

@testable import GoopNode

extension SiteClient {
    /// One that waits as long as a test may: hundreds of tests share two processors, and none of these is about the wait.
    static func patient(_ node: Node) -> SiteClient {
        var client = SiteClient(node: node)
        client.answerTimeout = .seconds(30)
        return client
    }
}
