import Base
import GitKit
import Models
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Delivery

struct NotifierTests {
    private static let commit = String(repeating: "c", count: 40)

    private func notice(_ status: String = "failed", reason: String? = "gate \"auc\" said no\nand more") throws
        -> DeliveryNotice
    {
        DeliveryNotice(
            model: "churn", stage: "prod", tag: "churn#prod#4", version: "v1.2.0",
            commit: try #require(ObjectID(Self.commit)), status: status, reason: reason, delivery: "0193")
    }

    private func settings(_ notify: String) throws -> [NotifySettings] {
        try #require(try Project("stages: {prod: {notify: [\(notify)]}}").stages["prod"]).notify
    }

    /// Sends, and returns what was said.
    private func send(_ notice: DeliveryNotice, _ notify: String, _ variables: [String: String] = [:]) async throws
        -> [String]
    {
        let said = Mutex<[String]>([])
        await Notifier.send(notice, try settings(notify), variable: { variables[$0] }) { line in
            said.withLock { $0.append(line) }
        }
        return said.withLock { $0 }
    }

    @Test func `forges, chat and templates get what their interfaces ask for`() async throws {
        let sandbox = try Sandbox()
        let server = try await EchoServer(sandbox.path)
        let url = server.url
        let said = try await send(
            notice(),
            """
            {url_env: HOOK},
            {url: "\(url)/custom", json: '{"title": "{{tag}}", "why": "{{reason}}", "n": 1}'},
            {status: github, api: "\(url)/gh", repo: acme/churn, token_env: TOKEN},
            {status: gitea, api: "\(url)/tea", repo: acme/churn, token_env: TOKEN},
            {status: gitlab, api: "\(url)/lab", repo: acme/ml/churn, token_env: TOKEN},
            {url: "\(url)/only-good", on: [succeeded]}
            """, ["HOOK": "\(url)/services/secret", "TOKEN": "t0ken"])
        #expect(said == [])
        let requests = try server.requests()
        func body(_ path: String) throws -> JSON {
            try #require(requests.first { $0["path"]?.string == path })["body"] ?? .null
        }
        let text = "churn#prod#4 (v1.2.0) failed: gate \"auc\" said no\nand more"
        #expect(try body("/services/secret") == ["text": .string(text)])
        #expect(try body("/custom") == ["title": "churn#prod#4", "why": "gate \"auc\" said no\nand more", "n": 1])
        let status: JSON = ["state": "failure", "context": "git-ml/churn#prod", "description": .string(text)]
        #expect(try body("/gh/repos/acme/churn/statuses/\(Self.commit)") == status)
        #expect(try body("/tea/api/v1/repos/acme/churn/statuses/\(Self.commit)") == status)
        #expect(
            try body("/lab/api/v4/projects/acme%2Fml%2Fchurn/statuses/\(Self.commit)")
                == ["state": "failed", "name": "git-ml/churn#prod", "description": .string(text)])
        #expect(
            Set(requests.compactMap { $0["login"]?.string }.filter { !$0.isEmpty })
                == ["Bearer t0ken", "token t0ken", "private t0ken"])
        #expect(requests.count == 5)
    }

    @Test func `what cannot be told fails nothing, and no secret address is said`() async throws {
        let sandbox = try Sandbox()
        let server = try await EchoServer(sandbox.path)
        let said = try await send(
            notice("succeeded"),
            """
            {url_env: CLOSED}, {url_env: UNSET}, {url: "\(server.url)/500"}, {url: "\(server.url)/404"},
            {url: "\(server.url)/ok", json: '{"broken": {{text}}'},
            {status: github, repo: acme/churn, token_env: UNSET}, {url: "\(server.url)/ok"}
            """, ["CLOSED": "http://127.0.0.1:9/services/secret"])
        #expect(said.count == 6)
        #expect(!said.contains { $0.contains("secret") }, "\(said)")
        #expect(said.contains { $0.contains("the address in CLOSED was not told: ") })
        #expect(said.contains { $0.contains("the variable UNSET is not set") })
        #expect(said.contains { $0.hasSuffix("it answered 404") })
        let paths = try server.requests().compactMap { $0["path"]?.string }
        #expect(paths.sorted() == ["/404", "/500", "/500", "/ok"])
    }

    @Test func `a mail has one line a header, whatever the reason holds`() throws {
        let mail = Mail(
            try notice(reason: "é\r\nBcc: all@example.com"), to: ["ann@example.com"], from: "ml@example.com")
        let headers = mail.text.split(separator: "\n\n", maxSplits: 1)[0].split(separator: "\n")
        #expect(!headers.contains { $0.hasPrefix("Bcc") })
        #expect(headers.contains("To: ann@example.com"))
        #expect(Mail.header("plain") == "plain")
        #expect(Mail.header("é") == "=?UTF-8?B?w6k=?=")
    }

    @Test(arguments: [
        "{}", "{url: ftp://x}", "{email: 'a b@c'}", "{email: [-oQ@x]}", "{status: github, repo: ../x, token_env: T}",
        "{status: gitea, repo: a/b, token_env: T}", "{url: https://x, on: [perhaps]}", "{url: https://x, uri: y}",
    ])
    func `settings that cannot work are refused with their line`(entry: String) {
        let failure = #expect(throws: YAMLFailure.self) { try settings(entry) }
        #expect(failure?.description.hasPrefix("ml.yaml:1: ") == true)
    }
}

/// A server that keeps what it is sent; `/404` and `/500` answer so.
private final class EchoServer: Sendable {
    private let process: BackgroundProcess
    let url: String

    init(_ folder: FilePath) async throws {
        let script = """
            import json, http.server
            class H(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    h = self.headers
                    body = json.loads(self.rfile.read(int(h["Content-Length"])))
                    login = h.get("Authorization") or (h.get("PRIVATE-TOKEN") and "private " + h["PRIVATE-TOKEN"]) or ""
                    print(json.dumps({"path": self.path, "body": body, "login": login}) + chr(10), end="", flush=True)
                    self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 201)
                    self.send_header("Content-Length", "0"); self.end_headers()
                def log_message(self, *a): pass
            s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
            print("listening on http://127.0.0.1:%d" % s.server_port, flush=True)
            s.serve_forever()
            """
        let python = try #require(ChildProcess.find("python3"))
        process = try BackgroundProcess(python, ["-c", script], log: folder.appending("echo.log"))
        let line = try await process.waitForLog("\n").split(separator: "\n").first ?? ""
        url = String(line.dropFirst("listening on ".count))
    }

    func requests() throws -> [JSON] {
        (try Files.readText(process.log) ?? "").split(separator: "\n").dropFirst().compactMap {
            try? JSON.parse(String($0))
        }
    }
}
