import Base
import SystemPackage
import TestSupport
import Testing

/// What the pipelines in `templates/review` send to a forge.
struct ReviewTemplateTests {
    private static let folder = Places.package.appending("templates").appending("review")

    private let project: Project

    init() async throws {
        project = try Project()
        try project.write("job/review.md", "<!-- git-ml review m prod -->\n## `m → prod`\n\n100% & \"done\"\n")
    }

    /// The commands of a template that come after the review is written.
    private func posting(_ file: String) throws -> String {
        let text = try #require(try Files.readText(Self.folder.appending(file)))
        return try commands(YAMLNode.parse(text, file: file)).filter { !$0.contains("git ml") }.joined(separator: "\n")
    }

    private func commands(_ node: YAMLNode) -> [String] {
        switch node.value {
        case .map(let entries):
            entries.flatMap { ["run", "script"].contains($0.key) ? texts($0.value) : commands($0.value) }
        case .list(let items): items.flatMap { commands($0) }
        case .scalar: []
        }
    }

    private func texts(_ node: YAMLNode) -> [String] {
        switch node.value {
        case .scalar(let text, _): [text]
        case .list(let items): items.flatMap { texts($0) }
        case .map: []
        }
    }

    @Test func `on GitHub the bot's own comment is replaced, and made when there is none`() async throws {
        // Says what it was called with; the listing is filtered as `gh --jq` does it.
        try project.write(
            "bin/gh",
            """
            #!/bin/sh
            for word; do printf '%s\\n' "$word" >> calls; done
            echo . >> calls
            case "$*" in *--paginate*)
              while [ $# -gt 1 ] && [ "$1" != --jq ]; do shift; done
              jq -r "$2" < comments;;
            esac
            """, mode: 0o755)
        let script = try posting("github-review.yml")
        func calls(_ comments: String) async throws -> [[String]] {
            try project.write("job/comments", comments)
            try await project.sh("rm -f calls", in: "job")
            let path = "\(project.path.appending("bin")):\(environmentValue("PATH") ?? "")"
            let result = try await project.sandbox.run(
                "/bin/bash", ["-eo", "pipefail", "-c", script], in: "job",
                environment: [
                    "PATH": path, "RUNNER_TEMP": ".", "REPOSITORY": "acme/churn", "NUMBER": "7", "GH_TOKEN": "t",
                ])
            #expect(result.status == 0, "\(result.errors)")
            return try #require(try project.text("job/calls")).split(separator: "\n.\n").map {
                $0.split(separator: "\n").map(String.init)
            }
        }
        let first = try await calls("[]")
        #expect(first.count == 2)
        #expect(first[0].prefix(3) == ["api", "--paginate", "repos/acme/churn/issues/7/comments"])
        #expect(
            first[1].filter { $0 != "." } == [
                "api", "--silent", "repos/acme/churn/issues/7/comments", "-F", "body=@./review.md",
            ])
        // Somebody else's comment with the same words is not touched.
        let marker = "<!-- git-ml review m prod -->"
        let second = try await calls(
            #"[{"id":1,"user":{"type":"User"},"body":"\#(marker) quoted"},{"id":2,"user":{"type":"Bot"},"body":"other"},"#
                + #"{"id":3,"user":{"type":"Bot"},"body":"\#(marker)\nold"}]"#)
        #expect(
            second.last?.filter { $0 != "." } == [
                "api", "--silent", "--method", "PATCH", "repos/acme/churn/issues/comments/3", "-F",
                "body=@./review.md",
            ])
    }

    @Test func `on GitLab the note is put or posted whole, with the token in its header only`() async throws {
        let server = try BackgroundProcess(
            try #require(ChildProcess.find("python3")), ["-u", "-c", Self.server],
            log: project.path.appending("server.log"), variables: ["FOLDER": project.path.string])
        let said = try await server.waitForLog("port ")
        let port = try #require(said.split(separator: "\n").first?.split(separator: " ").last)
        let script = try posting("gitlab-review.yml")
        func requests(_ notes: String) async throws -> [JSON] {
            try project.write("notes", notes)
            try await project.sh("rm -f requests", in: "")
            let result = try await project.sandbox.run(
                "/bin/bash", ["-eo", "pipefail", "-c", script], in: "job",
                environment: [
                    "CI_API_V4_URL": "http://127.0.0.1:\(port)/api/v4", "CI_PROJECT_ID": "42",
                    "CI_MERGE_REQUEST_IID": "7", "GIT_ML_REVIEW_TOKEN": "secret-token", "no_proxy": "*",
                ])
            #expect(result.status == 0, "\(result.errors)")
            #expect(!result.text.contains("secret-token"))
            return try #require(try project.text("requests")).split(separator: "\n").map { try JSON.parse(String($0)) }
        }
        let text = try #require(try project.text("job/review.md"))
        let notes = "/api/v4/projects/42/merge_requests/7/notes"
        let first = try await requests("[]")
        #expect(first.map { $0["method"]?.string } == ["GET", "POST"])
        #expect(first.map { $0["path"]?.string } == [notes + "?per_page=100&sort=asc", notes])
        #expect(first.last?["body"]?.string == text)
        #expect(first.allSatisfy { $0["token"]?.string == "secret-token" })
        let second = try await requests(
            #"[{"id":5,"body":"a word"},{"id":6,"body":"<!-- git-ml review m prod -->\nold"}]"#)
        #expect(second.map { $0["method"]?.string } == ["GET", "PUT"])
        #expect(second.last?["path"]?.string == notes + "/6")
        #expect(second.last?["body"]?.string == text)
    }

    /// Answers with `notes`, and writes what it was asked to `requests`.
    private static let server = """
        import json, os, urllib.parse
        from http.server import BaseHTTPRequestHandler, HTTPServer
        folder = os.environ["FOLDER"]
        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
                with open(folder + "/requests", "a") as file:
                    file.write(json.dumps({"method": self.command, "path": self.path, "body": form.get("body"),
                        "token": self.headers.get("PRIVATE-TOKEN")}) + "\\n")
                data = open(folder + "/notes", "rb").read() if self.command == "GET" else b"{}"
                self.send_response(200 if self.command != "POST" else 201)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            do_GET = do_POST = do_PUT = answer
            def log_message(self, *words): pass
        server = HTTPServer(("127.0.0.1", 0), Handler)
        print("port", server.server_port)
        server.serve_forever()
        """
}
