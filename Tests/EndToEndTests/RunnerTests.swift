import Base
import SystemPackage
import TestSupport
import Testing

/// Runners that work for a repository elsewhere, each with its own state: real processes, one bare remote.
@Suite(.serialized) struct RunnerTests {
    private let project: Project
    private var address: String { "file://\(project.path)/remote.git" }

    /// A bare remote without a runner of its own, and models whose deployment appends a line to `deployed`.
    init() async throws {
        project = try Project()
        try await project.sh("git init -q --bare remote.git && git init -q work", in: "")
        try await project.sh("git remote add origin ../remote.git && git ml init")
        try project.write(
            "work/ml.yaml",
            """
            version: 1
            models:
              a: {path: a.bin}
              b: {path: b.bin}
            stages:
              prod:
                deploy: {to: command, run: [sh, -c, 'echo $GIT_ML_MODEL $GIT_ML_COMMIT >> \(project.path)/deployed']}

            """)
        try await project.sh(
            "echo a > a.bin && echo b > b.bin && git add -A && git commit -qm one && git push -q origin main")
    }

    private var deployed: [String] {
        get throws { try project.text("deployed")?.split(separator: "\n").map(String.init).sorted() ?? [] }
    }

    /// The event lines that the remote has.
    private func events() async throws -> [JSON] {
        try await project.sh(
            """
            git notes --ref ml/deliveries list | while read -r blob object; do git cat-file -p "$blob"; done
            """, in: "remote.git"
        ).split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    private func pass(_ state: String = "state") async throws -> Seen {
        try await project.ml("runner", "--once", "--wait", "--repo", address, "--state", state, in: "")
    }

    @Test func `a runner killed after any step goes on at the next one, and the delivery has one result`() async throws
    {
        try project.write("seen", "-1\n")
        try project.write(
            "remote.git/hooks/post-receive",
            """
            #!/bin/sh
            # Kills the runner as soon as one more step than ever before is on record.
            while read -r old new ref; do
                [ "$ref" = refs/notes/ml/deliveries ] || continue
                steps=$(git notes --ref ml/deliveries list | while read -r blob object; do git cat-file -p "$blob"; done |
                    grep '"ev":"step"' | grep -v '"step":"claim"' | grep -c '"status":"succeeded"')
                [ "$steps" -gt "$(cat ../seen)" ] || continue
                echo "$steps" > ../seen
                kill -9 "$(cat ../runner.pid)"
            done
            """, mode: 0o755)
        try await project.sh("git ml stage a prod HEAD --push")
        var kills = 0
        while kills < 30 {
            let seen = try await project.sandbox.run(
                "/bin/sh",
                ["-c", "echo $$ > runner.pid; exec git-ml runner --once --wait --repo \(address) --state state"])
            if seen.status == 0 { break }
            #expect(seen.status == 137, "\(seen.text)\(seen.errors)")
            kills += 1
        }
        let steps = [
            "verify", "fetch", "gates", "package", "push", "render", "deploy", "wait", "probe", "promote",
        ]
        #expect(kills == steps.count + 1)  // and after the claim
        let events = try await events()
        let names = events.filter { $0["ev"]?.string == "step" }.compactMap { $0["step"]?.string }
        #expect(names.filter { $0 != "claim" } == steps)
        #expect(events.filter { $0["ev"]?.string == "end" }.map { $0["status"]?.string } == ["succeeded"])
        #expect(Set(events.map { $0["delivery"]?.string }).count == 1)
        let fences = events.compactMap { $0["fence"]?.int }
        #expect(fences == fences.sorted() && Set(fences).count == kills + 1)
        let deployed = try deployed
        #expect(deployed.count == 1)
        let again = try await pass()
        #expect(again.status == 0 && again.output.isEmpty, "\(again)")
        let claims = try await project.sh("git for-each-ref refs/ml/claims", in: "remote.git")
        #expect(claims.isEmpty)
    }

    @Test func `five runners at once deliver each assignment once`() async throws {
        try await project.sh("git ml stage a prod HEAD --push && git ml stage b prod HEAD --push")
        let results = try await withThrowingTaskGroup(of: Seen.self) { group in
            for i in 1...5 { group.addTask { try await pass("state\(i)") } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.allSatisfy { $0.status == 0 }, "\(results)")
        let head = try await project.sh("git rev-parse HEAD").trimmingTrailingSpace
        let deployed = try deployed
        #expect(deployed == ["a \(head)", "b \(head)"])
        let ends = try await events().filter { $0["ev"]?.string == "end" }
        #expect(ends.map { $0["status"]?.string } == ["succeeded", "succeeded"], "\(ends)")
    }

    @Test func `a service delivers what is pushed, and drains on SIGTERM`() async throws {
        let service = try BackgroundProcess(
            Places.programs.appending("git-ml"),
            ["runner", "--repo", address, "--state", project.path.appending("state").string, "--interval", "1s"],
            log: project.path.appending("service.log"), variables: project.sandbox.environment.compactMapValues { $0 })
        _ = try await service.waitForLog("looking at 1 repository")
        try await project.sh("git ml stage a prod HEAD --push")
        _ = try await service.waitForLog("a#prod#1 is served at command:sh")
        service.identity.signal(SIGTERM)
        _ = try await service.waitForLog("ending")
        let deliveries = try await project.ml("deliveries", "--json")
        #expect(deliveries.output.contains(#""status":"succeeded""#), "\(deliveries)")
    }

    @Test func `people pause, resume, retry and roll back a stage`() async throws {
        try await project.sh("git ml stage a prod HEAD --push")
        let paused = try await project.ml("pause", "a#prod", "-m", "until Monday")
        #expect(paused.status == 0, "\(paused)")
        let held = try await pass()
        #expect(held.output.contains("a#prod#1 waits: prod was paused by ann@example.com"), "\(held)")
        try await project.sh("git ml resume a#prod")
        let first = try await pass()
        #expect(first.output.contains("a#prod#1 is served"), "\(first)")
        // A second version fails to deploy, and is made again once that has been mended.
        try await project.sh("echo worse > a.bin && git commit -qam two && git push -q origin main")
        try await project.sh("mv deployed kept && mkdir deployed", in: "")
        try await project.sh("git ml stage a prod HEAD --push")
        let failed = try await pass()
        #expect(failed.output.contains("a#prod#2 failed"), "\(failed)")
        let id = try await project.sh(
            "git ml deliveries --json | head -1 | sed 's/.*\"delivery\":\"\\([0-9a-f]*\\)\".*/\\1/'"
        )
        .trimmingTrailingSpace
        let cancel = try await project.ml("cancel", id)
        #expect(cancel.status == 1 && cancel.errors.contains("a#prod#2 is failed: it cannot be cancelled"), "\(cancel)")
        try await project.sh("rmdir deployed && mv kept deployed", in: "")
        let retry = try await project.ml("retry", id, "--from", "deploy")
        #expect(retry.status == 0, "\(retry)")
        let second = try await pass()
        #expect(second.output.contains("a#prod#2 is served") && !second.output.contains("gates"), "\(second)")
        // Back to the first: a new number, which holds the second.
        try await project.sh("git fetch -q && git ml rollback a#prod --push")
        let message = try await project.sh("git cat-file -p refs/tags/a#prod#3")
        #expect(message.contains("hold: sha256:"), "\(message)")
        let back = try await pass()
        #expect(back.output.contains("a#prod#3 is served"), "\(back)")
        let commits = try await project.sh("git rev-parse HEAD~1 HEAD HEAD~1").split(separator: "\n")
        let lines = try project.text("deployed")?.split(separator: "\n").map(String.init)
        #expect(lines == commits.map { "a \($0)" })
    }

    @Test func `a delivery by hand says how it ended`() async throws {
        let none = try await project.ml("deliver", "a#prod", "--repo", "../remote.git")
        #expect(none.status == 3, "\(none)")
        try await project.sh("git ml stage a prod HEAD --push")
        let seen = try await project.ml("deliver", "a#prod", "--repo", "../remote.git")
        #expect(seen.status == 0 && seen.output.contains("a#prod#1: succeeded: command:sh"), "\(seen)")
    }
}
