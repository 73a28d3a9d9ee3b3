import GoopCore
import Testing

@Suite("viewer.http_addr") struct ViewerAddressTests {
    @Test(arguments: [
        ("", ViewerAddress.automatic), ("  \n", .automatic), ("off", .off), (" OFF ", .off), (":8081", .port(8081)),
        ("127.0.0.1:8080", .port(8080)), ("localhost:9000", .port(9000)), ("LocalHost:9000", .port(9000)),
        ("[::1]:80", .port(80)), ("0.0.0.0:8080", .port(8080)), ("*:8080", .port(8080)), ("[::]:8080", .port(8080)),
        (":0", .port(0)), (":65535", .port(65535)),
    ])
    func accepted(_ text: String, _ address: ViewerAddress) throws {
        #expect(try ViewerAddress(configured: text) == address)
    }

    @Test(arguments: [
        ("8080", ViewerAddressError.Reason.missingColon(8080)), ("localhost", .missingPort),
        (":65536", .badPort("65536")), (":", .badPort("")), (":-1", .badPort("-1")), (":80 80", .badPort("80 80")),
        (":999999999999999999999", .badPort("999999999999999999999")), (":٣", .badPort("٣")),
        ("192.168.1.5:8080", .beyondLoopback(host: "192.168.1.5", port: 8080)),
        ("[fe80::1]:80", .beyondLoopback(host: "[fe80::1]", port: 80)),
        ("::1:80", .beyondLoopback(host: "::1", port: 80)),
        ("127.0.0.2:80", .beyondLoopback(host: "127.0.0.2", port: 80)),
        ("example.org:80", .beyondLoopback(host: "example.org", port: 80)),
    ])
    func refused(_ text: String, _ reason: ViewerAddressError.Reason) {
        #expect { try ViewerAddress(configured: text) } throws: { ($0 as? ViewerAddressError)?.reason == reason }
    }

    @Test func errorNamesTheNextStep() throws {
        let error = #expect(throws: ViewerAddressError.self) { try ViewerAddress(configured: "10.0.0.1:81") }
        #expect(try #require(error).description.contains("write \"127.0.0.1:81\""))
    }
}
