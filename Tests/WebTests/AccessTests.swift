import Base
import SystemPackage
import TestSupport
import Testing

@testable import Web

struct AccessTests {
    private func refusal(
        _ access: Access, host: String? = "localhost:1", origin: String? = nil, who: String? = nil,
        role: Access.Role = .read
    )
        -> MLflowFailure.Code?
    {
        do {
            try access.check(host: host, origin: origin, authorization: who, needs: role)
            return nil
        } catch {
            return (error as? MLflowFailure)?.code
        }
    }

    @Test(arguments: ["localhost", "LOCALHOST:5000", "127.0.0.1:80", "[::1]:5000"])
    func `on loopback anybody may ask by a name of this machine`(host: String) {
        #expect(refusal(Access(), host: host, role: .stage) == nil)
    }

    @Test(arguments: ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "", "localhost.evil.example:80"])
    func `a request to another name is refused`(host: String) {
        #expect(refusal(Access(), host: host) == .denied)
    }

    @Test func `a page of another site may not ask`() {
        #expect(refusal(Access(), origin: "http://evil.example") == .denied)
        #expect(refusal(Access(), origin: "null") == .denied)
        #expect(refusal(Access(), origin: "http://localhost:1") == nil)
    }

    @Test func `a token opens everything, and nothing else does`() {
        let access = Access(token: "s3cret")
        #expect(refusal(access, who: "Bearer s3cret", role: .stage) == nil)
        for who in [nil, "Bearer wrong", "Basic s3cret", "s3cret", "Basic " + Base64.encode(Array("a:s3cret".utf8))] {
            #expect(refusal(access, who: who) == .unauthenticated)
        }
    }

    @Test func `users may do what their role says`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("users", "# who\nann pw1 stage\nbob pw2 log\n- tok read\n", mode: 0o600)
        let access = try Access(file: folder.path.appending("users"))
        func basic(_ text: String) -> String { "Basic " + Base64.encode(Array(text.utf8)) }
        #expect(refusal(access, host: "lab1:5000", who: basic("ann:pw1"), role: .stage) == nil)
        #expect(refusal(access, who: basic("bob:pw2"), role: .log) == nil)
        #expect(refusal(access, who: basic("bob:pw2"), role: .stage) == .denied)
        #expect(refusal(access, who: basic("bob:pw1")) == .unauthenticated)
        #expect(refusal(access, who: "Bearer tok") == nil)
        #expect(refusal(access, who: "Bearer tok", role: .log) == .denied)
    }

    @Test func `a file of users that others can read, or that is wrong, is refused`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("open", "ann pw log\n", mode: 0o644)
        try folder.write("bad", "ann pw root\n", mode: 0o600)
        try folder.write("empty", "\n", mode: 0o600)
        for name in ["open", "bad", "empty", "missing"] {
            #expect(throws: AccessFailure.self) { try Access(file: folder.path.appending(name)) }
        }
    }

    @Test(arguments: [
        ("GET", "runs/get", Access.Role.read), ("POST", "runs/search", .read), ("POST", "runs/create", .log),
        ("POST", "registered-models/alias", .stage), ("DELETE", "model-versions/delete", .stage),
        ("POST", "registered-models/get-latest-versions", .read), ("POST", "logged-models", .log),
    ])
    func `each call needs its role`(method: String, path: String, role: Access.Role) {
        #expect(Access.role(for: method, path) == role)
    }
}
