import Base
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Transport

/// Against Python's own HTTP server, told to misbehave by path.
struct HTTPClientTests {
    private static let script = #"""
        import hashlib, http.server, time
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *a): pass
            def answer(self, status, body, **headers):
                self.send_response(status)
                for key, value in headers.items(): self.send_header(key.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def part(self, start, body):
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/100000")
                self.send_header("Content-Length", str(len(body))); self.end_headers()
                self.wfile.write(body)
            def do_GET(self):
                content = bytes(i * 7 % 251 for i in range(100000))
                wanted = self.headers.get("Range")
                start = int(wanted[6:-1]) if wanted else 0
                if self.path == "/cut":
                    self.send_response(200); self.send_header("Content-Length", "100"); self.end_headers()
                    self.wfile.write(b"short"); self.close_connection = True
                elif self.path == "/chunked-cut":
                    self.send_response(200); self.send_header("Transfer-Encoding", "chunked"); self.end_headers()
                    self.wfile.write(b"5\r\nshort\r\n"); self.close_connection = True
                elif self.path == "/away": self.answer(302, b"", Location="/ok")
                elif self.path == "/elsewhere": self.answer(302, b"", Location=f"http://localhost:{server.server_port}/headers")
                elif self.path == "/loop": self.answer(302, b"", Location="/loop")
                elif self.path == "/disk": self.answer(302, b"", Location="file:///etc/passwd")
                elif self.path == "/metadata": self.answer(302, b"", Location="http://169.254.169.254/latest")
                elif self.path == "/headers": self.answer(200, "\n".join(sorted(self.headers.keys())).lower().encode())
                elif self.path == "/large": self.answer(200, b"x" * 100000)
                elif self.path == "/file" and wanted: self.part(start, content[start:])
                elif self.path == "/file" or self.path == "/no-ranges": self.answer(200, content)
                elif self.path == "/other-part": self.part(start + 1, content[start + 1:])
                elif self.path == "/long": self.answer(200, content + b"x")
                elif self.path == "/login": self.answer(200, b"<html>please log in</html>", Content_Type="text/html")
                elif self.path == "/gone": self.answer(404, b"no such thing")
                elif self.path == "/cut-file":
                    self.send_response(200); self.send_header("Content-Length", "100000"); self.end_headers()
                    self.wfile.write(content[:30000]); self.close_connection = True
                elif self.path == "/slow":
                    self.send_response(200); self.send_header("Content-Length", "100000"); self.end_headers()
                    self.wfile.write(content[:30000]); self.wfile.flush(); time.sleep(30)
                elif self.path == "/hang-up": # closes a connection that the client believes to be open
                    self.answer(200, b"bye"); self.close_connection = True
                else: self.answer(200, b"hello", X_Test="yes")
            do_HEAD = do_GET
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                digest = hashlib.sha256(body).hexdigest()
                self.answer(201, f"{len(body)} {self.headers.get('X-Key', '')} {digest}".encode())
            do_POST = do_PUT
        http.server.ThreadingHTTPServer.request_queue_size = 128  # of 5 a busy machine refuses some
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print("port", server.server_port, "ready", flush=True)
        server.serve_forever()
        """#

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
        #expect(answer.headers["x-test"] == "yes")
        #expect(answer.body == Array("hello".utf8))
    }

    @Test func `a body is sent from memory and from a file`() async throws {
        let file = try folder.write("body", String(repeating: "y", count: 3_000_000))
        let fromFile = try await HTTPClient.send(
            "PUT", address + "/", headers: ["X-Key": "k"], body: .file(file), timeout: nil)
        #expect(fromFile.status == 201)
        #expect(fromFile.text == "3000000 k \(try Digest.of(file: file).digest.hex)")
        let empty = try await HTTPClient.send("POST", address + "/", body: .bytes([]))
        #expect(empty.text == "0  \(Digest.of("").hex)")
        let part = try await HTTPClient.send(
            "PUT", address + "/", body: .range(file, from: 1000, count: 5), timeout: nil)
        #expect(part.text == "5  \(Digest.of("yyyyy").hex)")
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

    // MARK: Redirects

    @Test func `a redirect that is to be followed is`() async throws {
        var request = HTTPRequest("GET", address + "/away")
        request.redirects = .followed
        let answer = try await HTTPClient.send(request)
        #expect(answer.text == "hello")
    }

    @Test func `credentials do not follow to another origin`() async throws {
        var request = HTTPRequest(
            "GET", address + "/elsewhere",
            headers: ["Authorization": "Basic c2VjcmV0", "X-Amz-Security-Token": "secret", "Cookie": "a=b"])
        request.redirects = .followed
        let answer = try await HTTPClient.send(request)
        #expect(answer.text == "accept\nhost\nuser-agent")
    }

    @Test(arguments: ["/disk", "/metadata", "/loop"])
    func `a redirect to a disk, to a cloud's metadata or to itself is refused`(path: String) async throws {
        var request = HTTPRequest("GET", address + path)
        request.redirects = .followed
        request.timeout = .seconds(30)
        let failure = await #expect(throws: TransportFailure.self) { try await HTTPClient.send(request) }
        #expect(failure?.what == (path == "/metadata" ? failure?.what : .unacceptable))
    }

    @Test func `a redirect from https to http is refused`() {
        let request = HTTPRequest("GET", "https://example.com/a")
        #expect(throws: TransportFailure.self) { try HTTPClient.redirect(request, to: "http://example.com/a") }
        #expect(throws: TransportFailure.self) { try HTTPClient.redirect(request, to: "gopher://example.com/a") }
    }

    // MARK: Files

    private func fetch(_ path: String, to file: FilePath) async throws -> HTTPResponse {
        var request = HTTPRequest("GET", address + path)
        request.sink = .file(file, size: 100_000)
        return try await HTTPClient.send(request)
    }

    private static let content = (0..<100_000).map { UInt8($0 * 7 % 251) }

    @Test(arguments: [0, 1, 65_536, 99_999], ["/file", "/no-ranges"])
    func `a download is continued where the file ends, or begun anew where the server cannot`(
        length: Int, path: String
    ) async throws {
        let file = folder.path.appending("part")
        try Files.replace(file, with: Self.content[..<length])
        let answer = try await fetch(path, to: file)
        #expect(answer.status == (path == "/file" && length > 0 ? 206 : 200))
        #expect(try Files.read(file) == Self.content)
    }

    @Test(arguments: [
        ("/other-part", TransportFailure.Cause.unacceptable), ("/long", .otherLength), ("/login", .unacceptable),
    ])
    func `an answer that cannot be the rest of the file is refused`(path: String, cause: TransportFailure.Cause)
        async throws
    {
        let file = folder.path.appending("part")
        try Files.replace(file, with: Self.content[..<100])
        let failure = await #expect(throws: TransportFailure.self) { try await fetch(path, to: file) }
        #expect(failure?.what == cause)
    }

    @Test func `a refusal is not written into the file`() async throws {
        let file = folder.path.appending("part")
        try Files.replace(file, with: Self.content[..<100])
        let answer = try await fetch("/gone", to: file)
        #expect(answer.status == 404)
        #expect(answer.text == "no such thing")
        #expect(try Files.read(file) == Array(Self.content[..<100]))
    }

    @Test func `what came before a connection broke stays`() async throws {
        let file = folder.path.appending("part")
        let failure = await #expect(throws: TransportFailure.self) { try await fetch("/cut-file", to: file) }
        #expect(failure?.what == .broken)
        #expect(try Files.read(file) == Array(Self.content[..<30_000]))
    }

    @Test(.timeLimit(.minutes(1))) func `a cancelled download ends at once and keeps what has come`() async throws {
        let file = folder.path.appending("part")
        let moved = Counter()
        let task = Task {
            var request = HTTPRequest("GET", address + "/slow")
            request.sink = .file(file, size: 100_000)
            request.progress = { moved.add($0) }
            return try await HTTPClient.send(request)
        }
        while moved.value < 30_000 { try await Task.sleep(for: .milliseconds(20)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try Files.read(file) == Array(Self.content[..<30_000]))
    }

    @Test func `progress adds up to what was moved`() async throws {
        let file = folder.path.appending("part")
        try Files.replace(file, with: Self.content[..<1000])
        let moved = Counter()
        var request = HTTPRequest("GET", address + "/no-ranges")
        request.sink = .file(file, size: 100_000)
        request.progress = { moved.add($0) }
        _ = try await HTTPClient.send(request)
        #expect(moved.value == 99_000)
        var upload = HTTPRequest("PUT", address + "/", body: .file(file))
        upload.progress = { moved.add($0) }
        _ = try await HTTPClient.send(upload)
        #expect(moved.value == 199_000)
    }

    @Test func `a file that is not there is named`() async throws {
        let failure = await #expect(throws: TransportFailure.self) {
            try await HTTPClient.send("PUT", address + "/", body: .file("/nonexistent"))
        }
        #expect(failure?.what == .local)
    }

    // MARK: Connections

    @Test func `many requests at once are answered, also after the server hung up`() async throws {
        for path in ["/hang-up", "/", "/hang-up", "/"] {
            try await withThrowingTaskGroup(of: HTTPResponse.self) { [address] group in
                for _ in 0..<20 {
                    group.addTask { try await HTTPClient.send("GET", address + path) }
                    group.addTask {
                        try await HTTPClient.send(
                            "PUT", address + "/", body: .bytes([UInt8](repeating: 1, count: 1000)))
                    }
                }
                for try await answer in group { #expect([200, 201].contains(answer.status)) }
            }
        }
    }

    @Test(arguments: ["/cut", "/chunked-cut"]) func `an answer that ends early may be asked for again`(path: String)
        async throws
    {
        let failure = await #expect(throws: TransportFailure.self) {
            try await HTTPClient.send("GET", address + path)
        }
        #expect(failure?.what == .broken)
    }
}

final class Counter: Sendable {
    private let sum = Mutex<Int64>(0)
    func add(_ count: Int64) { sum.withLock { $0 += count } }
    var value: Int64 { sum.withLock { $0 } }
}
