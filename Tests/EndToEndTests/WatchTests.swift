import Base
import SystemPackage
import TestSupport
import Testing

/// What a runner serves on this machine, and what becomes of a version that is found to be ill after its promotion.
struct WatchTests {
    @Test func `the command of an image serves, as the image's own entrypoint starts it`() async throws {
        let project = try await Project.withRemote()
        try project.write(
            "work/ml.yaml",
            """
            version: 1
            models:
              m: {path: m.bin, package: {template: command, command: [python3, code/serve.py, "an argument"], files: [serve.py]}}
            stages:
              prod: {deploy: {to: local}, probe: {path: /up}}

            """)
        // It knows nothing of git-ml but its variables.
        try project.write(
            "work/serve.py",
            """
            import http.server, os, sys
            class Answer(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(200 if self.path == "/up" else 404)
                    self.end_headers()
                    model = open(os.environ["MODEL_PATH"]).read().strip()
                    self.wfile.write(f"{os.environ['MODEL_NAME']} {model} {sys.argv[1]}".encode())
            http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answer).serve_forever()

            """)
        var addresses: Set<String> = []
        for number in ["one", "two"] {
            try await project.sh(
                """
                echo \(number) > m.bin && git add -A && git commit -qm \(number)
                git ml stage m prod HEAD && git push -q origin main --tags
                """)
            let followed = try await project.ml("deliveries", "--follow")
            #expect(followed.status == 0, "\(followed)")
            let served = try JSON.parse(await project.ml("local", "--json", "--repo", "remote.git", in: "").output)
            let address = try #require(served["address"]?.string, "\(served)")
            addresses.insert(address)
            let answer = try await project.sh("curl -sS --max-time 60 \(address)/up")
            #expect(answer == "m \(number) an argument")
        }
        #expect(addresses.count == 1)
        await project.stopServers()
    }

    @Test func `when what was promoted fails while it is watched, the version before comes back`() async throws {
        let project = try Project()
        try await project.sh(
            "git init -q --bare remote.git && (cd remote.git && git ml init --bare) && git init -q work", in: "")
        try await project.sh("git remote add origin ../remote.git && git ml init")
        try project.writeTinyServer()
        try project.writeModel(stage: "{deploy: {to: local}}")
        try await project.sh(
            "git add -A && git commit -qm one && git push -q origin main && git ml stage m prod HEAD --push")
        let first = try await project.ml("runner", "--once", "--wait", "--repo", "remote.git", in: "")
        #expect(first.output.contains("m#prod#1 is served"), "\(first)")
        try project.writeSettings("stages:\n  prod: {deploy: {to: local}, watch: {for: 10m, every: 1s}}\n")
        try await project.sh(
            """
            echo worse > models/m.bin && git commit -qam two && git push -q origin main
            git ml stage m prod HEAD --push
            """)
        let runner = try BackgroundProcess(
            Places.programs.appending("git-ml"),
            ["runner", "--once", "--repo", project.path.appending("remote.git").string],
            log: project.path.appending("runner.log"), variables: project.sandbox.environment.compactMapValues { $0 })
        _ = try await runner.waitForLog("and watched")
        try await project.sh("git rev-parse HEAD > ../ill")
        _ = try await runner.waitForLog("m#prod#2 rolled back")
        let deliveries = try await project.ml("deliveries", "--json")
        #expect(deliveries.output.contains(#""status":"rolled-back""#), "\(deliveries)")
        let before = try await project.sh("git rev-parse HEAD~1").trimmingTrailingSpace
        let served = try await project.ml("local", "--json", "--repo", "remote.git", in: "")
        #expect(served.output.contains(before) && served.output.contains(#""state":"running""#), "\(served)")
        await project.stopServers()
    }
}
