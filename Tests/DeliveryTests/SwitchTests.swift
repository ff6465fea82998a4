import Base
import SystemPackage
import TestSupport
import Testing
import Transport

@testable import Delivery

/// The real server of `templates/serving/python` behind the real switch.
struct SwitchTests {
    private let sandbox: Sandbox
    private let python: FilePath

    init() throws {
        sandbox = try Sandbox()
        python = Places.python.appending("python3")
    }

    /// A server whose model answers slowly and says which one it is.
    private func server(_ revision: String) async throws -> (process: BackgroundProcess, port: Int) {
        let app = sandbox.path.appending("\(revision)").appending("app")
        let template = Places.package.appending("templates").appending("serving").appending("python")
        for name in try Files.list(template) where name.hasSuffix(".py") {
            try Files.replace(
                app.appending("serve").appending(name), with: Files.read(template.appending(name)) ?? [])
        }
        try Files.replace(app.appending("model").appending("m.txt"), with: "x".utf8)
        try Files.replace(
            app.appending("code").appending("serve_model.py"),
            with: """
                import time
                def load(path): return open(path).read()
                def predict(model, inputs):
                    time.sleep(0.05)
                    return [len(inputs)]
                """.utf8)
        let json = #"{"name":"m","version":"v1","revision":"\#(revision)","path":"model/m.txt","oid":"sha256:0"}"#
        try Files.replace(app.appending("model.json"), with: json.utf8)
        let portFile = sandbox.path.appending("\(revision).port")
        let process = try BackgroundProcess(
            python,
            [app.appending("serve").appending("server.py").string, "--port", "0", "--port-file", portFile.string],
            log: sandbox.path.appending("\(revision).log"))
        for _ in 0..<2400 {
            if let port = try Files.readText(portFile).flatMap({ Int($0.trimmingTrailingSpace) }) {
                return (process, port)
            }
            try await Task.sleep(for: .milliseconds(25))
        }
        throw ProbeFailure("no port: \(try Files.readText(process.log) ?? "")")
    }

    private func activate(_ port: Int) throws {
        try Files.replace(sandbox.path.appending("active.json"), with: "{\"port\":\(port)}\n".utf8)
    }

    @Test func `servers are swapped under load without a failed request, and the old one ends by itself`() async throws
    {
        let (old, oldPort) = try await server("one")
        let (new, newPort) = try await server("two")
        try activate(oldPort)
        let folder = sandbox.path
        let front = Task { try await Switch(directory: folder).run(host: "127.0.0.1", port: 0) }
        defer { front.cancel() }
        var address: String?
        for _ in 0..<1000 where address == nil {
            try await Task.sleep(for: .milliseconds(20))
            address = try Files.readText(folder.appending("switch.json")).flatMap {
                try JSON.parse($0)["address"]?.string
            }
        }
        let url = try #require(address) + "/invocations"
        let body = Array(#"{"inputs":[[1.0]]}"#.utf8)

        let revisions = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var seen: [String] = []
                    let end = ContinuousClock.now + .seconds(3)
                    while ContinuousClock.now < end {
                        let answer = try await HTTPClient.send(
                            "POST", url, headers: ["Content-Type": "application/json"], body: .bytes(body))
                        seen.append(
                            answer.status == 200 ? answer.headers["x-model-revision"] ?? "?" : "\(answer.status)")
                    }
                    return seen
                }
            }
            try await Task.sleep(for: .seconds(1))
            try activate(newPort)
            try await Task.sleep(for: .milliseconds(200))
            old.identity.signal(SIGTERM)
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(revisions) == ["one", "two"])
        for _ in 0..<1000 where old.identity.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        #expect(!old.identity.isRunning)
        #expect(new.identity.isRunning)
    }
}
