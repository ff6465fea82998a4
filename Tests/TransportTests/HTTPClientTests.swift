import Base
import SystemPackage
import TestSupport
import Testing

@testable import Transport

/// Against Python's own HTTP server, told to misbehave by path.
struct HTTPClientTests {
    private static let script = """
        import http.server, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *a): pass
            def answer(self, status, body, **headers):
                self.send_response(status)
                for key, value in headers.items(): self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def do_GET(self):
                if self.path == "/cut":
                    self.send_response(200); self.send_header("Content-Length", "100"); self.end_headers()
                    self.wfile.write(b"short"); self.close_connection = True
                elif self.path == "/away": self.answer(302, b"", Location="/ok")
                elif self.path == "/large": self.answer(200, b"x" * 100000)
                else: self.answer(200, b"hello", X_Test="yes")
            do_HEAD = do_GET
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(201, str(len(body)).encode() + b" " + self.headers.get("X-Key", "").encode())
            do_POST = do_PUT
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print("port", server.server_port, "ready", flush=True)
        server.serve_forever()
        """

    private let folder: TemporaryDirectory
    private let server: BackgroundProcess
    private let address: String

    init() async throws {
        folder = try TemporaryDirectory()
        let script = try folder.write("server.py", Self.script)
        let python = try #require(ChildProcess.find("python3"))
        server = try BackgroundProcess(python, [script.string], log: folder.path.appending("log"))
        let port = try await server.waitForLog("ready").split(separator: " ")[1]
        address = "http://127.0.0.1:\(port)"
    }

    @Test func `an answer has its status, headers and body`() async throws {
        let answer = try await HTTPClient.send("GET", address + "/")
        #expect(answer.status == 200)
        #expect(answer.headers["x_test"] == "yes")
        #expect(answer.body == Array("hello".utf8))
    }

    @Test func `a body is sent from memory and from a file`() async throws {
        let file = try folder.write("body", String(repeating: "y", count: 3_000_000))
        let fromFile = try await HTTPClient.send(
            "PUT", address + "/", headers: ["X-Key": "k"], body: .file(file), timeout: nil)
        #expect(fromFile.status == 201)
        #expect(String(decoding: fromFile.body, as: UTF8.self) == "3000000 k")
        let empty = try await HTTPClient.send("POST", address + "/", body: .bytes([]))
        #expect(String(decoding: empty.body, as: UTF8.self) == "0 ")
    }

    @Test(.timeLimit(.minutes(1))) func `a HEAD request waits for no body`() async throws {
        let answer = try await HTTPClient.send("HEAD", address + "/")
        #expect(answer.status == 200)
        #expect(answer.body.isEmpty)
    }

    @Test func `a redirect is an answer and not followed`() async throws {
        let answer = try await HTTPClient.send("GET", address + "/away")
        #expect(answer.status == 302)
        #expect(answer.headers["location"] == "/ok")
    }

    @Test func `a body that ends early is a failure`() async throws {
        await #expect(throws: TransportFailure.self) { try await HTTPClient.send("GET", address + "/cut") }
    }

    @Test func `a body that is too large is a failure`() async throws {
        await #expect(throws: TransportFailure.self) {
            try await HTTPClient.send("GET", address + "/large", limit: 1000)
        }
    }

    @Test func `a failure names method and address, without the password`() async throws {
        let failure = await #expect(throws: TransportFailure.self) {
            try await HTTPClient.send("GET", "http://ann:secret@127.0.0.1:\(freePort())/x?token=secret")
        }
        let text = failure.map { "\($0)" } ?? ""
        #expect(text.hasPrefix("GET http://127.0.0.1:"))
        #expect(!text.contains("secret"))
    }

    @Test func `only http and https are spoken`() async throws {
        await #expect(throws: TransportFailure.self) { try await HTTPClient.send("GET", "file:///etc/passwd") }
    }
}
