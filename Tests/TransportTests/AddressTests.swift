import Base
import Testing

@testable import Transport

struct AddressTests {
    @Test func `an address has its parts`() throws {
        let address = try #require(NetworkAddress("https://ann:p%40ss@Example.com:8443/a%20b/../c?x=1#f"))
        #expect(address.scheme == "https")
        #expect(address.host == "example.com")
        #expect(address.port == 8443)
        #expect(address.authority == "example.com:8443")
        #expect(address.path == "/a%20b/../c")
        #expect(address.user == "ann")
        #expect(address.password == "p@ss")
        #expect(NetworkAddress("http://example.com")?.authority == "example.com")
    }

    @Test(arguments: [
        "", "no address", "/path", "http://", "http://h:x/", "http://h:99999/", "http://127%2e0.0.1/", "http://a\\@b/",
        "http://[::1]x/", "1http://h/", "file:///x",
    ])
    func `what is no address is none`(text: String) { #expect(NetworkAddress(text) == nil) }

    @Test func `an address of IPv6 has its brackets where they are needed`() throws {
        let address = try #require(NetworkAddress("http://[::1]:80/x?y"))
        #expect(address.host == "::1" && address.port == 80 && address.authority == "[::1]")
        #expect(address.url == "http://[::1]:80/x?y" && address.shown == "http://[::1]:80/x")
    }

    @Test(arguments: [
        ("/q", "https://u:p@h.com/q"), ("c", "https://u:p@h.com/a/c"), ("../c", "https://u:p@h.com/c"),
        ("./../../c/", "https://u:p@h.com/c/"), ("//h.com/c", "https://h.com/c"), ("https://i.com", "https://i.com/"),
    ])
    func `a reference keeps user and password at its own host`(reference: String, url: String) throws {
        #expect(try #require(NetworkAddress("https://u:p@h.com/a/b")).resolving(reference)?.url == url)
    }

    @Test func `origins differ by scheme, host or port`() throws {
        let base = try #require(NetworkAddress("https://a.example/x"))
        func shares(_ other: String) -> Bool { NetworkAddress(other).map { base.hasSameOrigin(as: $0) } ?? false }
        #expect(shares("https://a.example:443/y"))
        #expect(shares("https://A.EXAMPLE/"))
        #expect(!shares("http://a.example/x"))
        #expect(!shares("https://a.example.evil/x"))
        #expect(!shares("https://a.example:444/x"))
    }

    @Test func `text is encoded for signatures and comes back`() {
        #expect(NetworkAddress.encode("a b+c/ü~*'") == "a%20b%2Bc%2F%C3%BC~%2A%27")
        #expect(NetworkAddress.encode("a/b", keep: "/") == "a/b")
        #expect(NetworkAddress.decode("a%20b%2Bc%2F%C3%BC~%zz%4") == "a b+c/ü~%zz%4")
    }

    @Test func `a private network is reached by those in it only`() {
        let world = PeerPolicy(redirectedBy: "93.184.216.34")
        let office = PeerPolicy(redirectedBy: "10.1.2.3")
        let own = PeerPolicy(redirectedBy: "127.0.0.1")
        for address in ["169.254.169.254", "fe80::1", "0.0.0.0", "::ffff:169.254.169.254"] {
            #expect(!world.allows(address) && !office.allows(address) && !own.allows(address), "\(address)")
        }
        for address in ["10.0.0.1", "172.31.0.1", "192.168.1.1", "fd00::1"] {
            #expect(!world.allows(address) && office.allows(address) && own.allows(address), "\(address)")
        }
        for address in ["127.0.0.1", "::1", "127.9.9.9"] {
            #expect(!world.allows(address) && !office.allows(address) && own.allows(address), "\(address)")
        }
        #expect(world.allows("1.1.1.1") && world.allows("2606:4700::1111"))
    }
}

struct RetryAfterTests {
    private let now = Timestamp(seconds: 784_111_777)  // Sun, 06 Nov 1994 08:49:37 GMT

    @Test func `seconds and dates are read`() {
        #expect(RetryAfter.parse("120") == .seconds(120))
        #expect(RetryAfter.parse("0") == .zero)
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:50:07 GMT", now: now) == .seconds(30))
        #expect(RetryAfter.parse("Sunday, 06-Nov-94 08:50:07 GMT", now: now) != nil)
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:49:07 GMT", now: now) == .zero)
    }

    @Test(arguments: [nil, "", "soon", "-1", "1.5", "Sun, 06 Foo 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:50:07 CET"])
    func `what is neither is no wish`(text: String?) { #expect(RetryAfter.parse(text, now: now) == nil) }

    @Test func `a date is written as HTTP wants it`() {
        #expect(HTTPDate.format(now) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.parse(HTTPDate.format(now)) == now)
        #expect(HTTPDate.format(Timestamp(seconds: 1_709_164_800)) == "Thu, 29 Feb 2024 00:00:00 GMT")
    }
}
