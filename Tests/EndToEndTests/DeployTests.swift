import Base
import SystemPackage
import TestSupport
import Testing

/// Tags that end up in a cluster: real kubectl and a real registry.
struct DeployTests {
    private struct Setting {
        let project: Project
        let cluster: KubeServer
        let registry: DockerRegistry

        init(_ deploy: String) async throws {
            project = try Project()
            cluster = try await KubeServer(project.path)
            registry = try await DockerRegistry(project.path)
            try await project.sandbox.sh(
                """
                git init -q --bare remote.git
                (cd remote.git && git ml init --bare)
                git init -q work
                cd work
                git remote add origin ../remote.git
                git ml init
                """)
            try project.writeSettings(
                "registry: \(registry.host)/acme\nstages:\n  prod: {deploy: {\(deploy)}, probe: {within: 90s}}\n")
            try project.write("work/models/m.bin", "a model")
            try await project.sh("git add . && git commit -qm one && git ml register m && git ml stage m prod")
            try await project.sh("git push -q origin main --tags")
            try await project.sh("git remote set-head origin --auto")
        }

        func pass() async throws -> Seen {
            var environment = cluster.environment
            environment["PATH"] = "\(Places.programs):\(environment["PATH"].flatMap { $0 } ?? "")"
            environment["HOME"] = nil
            return try await project.ml(
                "runner", "--once", "--wait", "--repo", "remote.git", in: "", environment: environment)
        }

        func deliveries() async throws -> [JSON] {
            try await project.ml("deliveries", "--json").output.split(separator: "\n").map {
                try JSON.parse(String($0))
            }
        }
    }

    @Test func `a staged tag runs in the cluster by its digest; one that crashes leaves the one before there`()
        async throws
    {
        let setting = try await Setting("to: kubernetes, namespace: ml, replicas: 2")
        let pass = try await setting.pass()
        #expect(pass.status == 0, "\(pass)")
        let first = try #require(try await setting.deliveries().first)
        #expect(first["status"] == "succeeded", "\(first) \(pass)")
        #expect(first["target"] == "http://m-prod.ml.svc")
        let digest = try #require(first["digest"]?.string)
        let image = [
            "-n", "ml", "get", "deployment/m-prod", "-o", "jsonpath={.spec.template.spec.containers[0].image}",
        ]
        func running() async throws -> String {
            try await ChildProcess.check("kubectl", image, environment: setting.cluster.environment).text
        }
        #expect(try await running() == "\(setting.registry.host)/acme/m@\(digest)")
        // Nothing to do: nothing is changed.
        let changes = try setting.cluster.changes()
        _ = try await setting.pass()
        #expect(try setting.cluster.changes() == changes)
        // A second version, whose pods crash.
        try await setting.project.sh(
            "echo another > models/m.bin && git commit -qam two && git ml register m && git ml stage m prod")
        let rendered = try await setting.project.ml("render", "m#prod", "--json")
        #expect(rendered.status == 0, "\(rendered)")
        let bad = try #require(rendered.output.firstMatch(of: /m@(sha256:[0-9a-f]{64})/)).output.1
        #expect(bad != digest)
        try setting.cluster.misbehave(#"{"crash": ["\#(bad)"]}"#)
        try await setting.project.sh("git push -q origin main --tags")
        let second = try await setting.pass()
        let failed = try #require(try await setting.deliveries().first)
        #expect(failed["status"] == "failed", "\(failed) \(second)")
        #expect(failed["reason"]?.string?.contains("CrashLoopBackOff") == true, "\(failed)")
        #expect(try await running() == "\(setting.registry.host)/acme/m@\(digest)")
    }

    @Test func `render prints what a runner applies, and commits it for Argo CD and Flux`() async throws {
        let setting = try await Setting("to: kubernetes, namespace: ml, max_replicas: 3")
        let project = setting.project
        let image = "ghcr.io/acme/m@sha256:" + String(repeating: "a", count: 64)
        let printed = try await project.ml("render", "m#prod", "--image", image)
        #expect(printed.status == 0 && printed.output.contains("kind: HorizontalPodAutoscaler"), "\(printed)")
        try await project.sh("git init -q --bare gitops.git && git clone -q gitops.git ops && mkdir ops/apps", in: "")
        let own = try await project.ml("render", "m#prod", "--image", image, "--gitops", "../ops/apps")
        #expect(own.status == 0 && own.output.hasPrefix("committed apps/m-prod.yaml as "), "\(own)")
        #expect(try project.text("ops/apps/m-prod.yaml") == printed.output)
        try await project.sh("git push -q origin HEAD", in: "ops")
        let remote = "file://\(project.path)/gitops.git//apps"
        let again = try await project.ml("render", "m#prod", "--image", image, "--gitops", remote)
        #expect(again.output == "apps/m-prod.yaml says the same already\n", "\(again)")
        let other = image.replacing("aaa", with: "bbb")
        let pushed = try await project.ml("render", "m#prod", "--image", other, "--gitops", remote)
        #expect(pushed.output.hasSuffix(" and pushed it\n"), "\(pushed)")
        #expect(try await project.sh("git -C ../gitops.git show HEAD:apps/m-prod.yaml").contains(other))
        let none = try await project.ml("render", "m#staging", "--image", image)
        #expect(none.status == 3, "\(none)")
        let unit = try await project.ml("render", "m#prod", "--image", image, "--as", "quadlet")
        #expect(unit.output.contains("Image=\(image)\n"), "\(unit)")
    }

    @Test func `a template of the protected branch goes before ours, and one without our label is refused`()
        async throws
    {
        let setting = try await Setting("to: kubernetes, template: own")
        try setting.project.write(
            "work/templates/deploy/own/job.yaml",
            """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: "{{name}}"}
            spec: {image: "{{image}}"}
            """)
        try await setting.project.sh("git add . && git commit -qm template && git push -q origin main")
        let image = "ghcr.io/acme/m@sha256:" + String(repeating: "a", count: 64)
        let refused = try await setting.project.ml("render", "m#prod", "--image", image)
        #expect(
            refused.status == 1 && refused.errors.contains("job.yaml: Deployment m-prod lacks the label"), "\(refused)")
    }
}
