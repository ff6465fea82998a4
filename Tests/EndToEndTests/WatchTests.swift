import Base
import SystemPackage
import TestSupport
import Testing

/// What becomes of a version that is found to be ill after it has been promoted.
struct WatchTests {
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
