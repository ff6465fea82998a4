import Base
import SystemPackage
import TestSupport
import Testing

/// The templates that a team copies.
struct TemplateTests {
    private static let folder = Places.package.appending("templates").appending("ci")

    private static func files() throws -> [String] { try Files.list(folder).filter { $0.hasSuffix(".yml") } }

    /// The commands of a pipeline: every text below `run` or `script`.
    private func commands(_ node: YAMLNode) -> [String] {
        switch node.value {
        case .map(let entries):
            return entries.flatMap { entry in
                ["run", "script", "before_script"].contains(entry.key) ? texts(entry.value) : commands(entry.value)
            }
        case .list(let items): return items.flatMap { commands($0) }
        case .scalar: return []
        }
    }

    private func texts(_ node: YAMLNode) -> [String] {
        switch node.value {
        case .scalar(let text, _): [text]
        case .list(let items): items.flatMap { texts($0) }
        case .map: []
        }
    }

    // Case D-10.
    @Test func `data of an event reaches commands through the environment only`() throws {
        let files = try Self.files()
        #expect(files.count >= 2)
        for file in files {
            let text = try #require(try Files.readText(Self.folder.appending(file)))
            let commands = commands(try YAMLNode.parse(text, file: file))
            let what = file.contains("merged-runs") ? "git ml sync --from" : "git ml runner --once"
            #expect(commands.contains { $0.contains(what) }, "\(file)")
            for command in commands { #expect(!command.contains("${{"), "\(file): \(command)") }
        }
    }

    @Test func `the commands of the template bring a fork's merged runs in`() async throws {
        let project = try await Project.withRemote()
        try await project.sh("git add . && git commit -qm first && git push -q -u origin main")
        try await project.sh("git clone -q --bare remote.git fork.git && git clone -q fork.git hers", in: "")
        try await project.sh(
            """
            git ml init && git checkout -qb better && echo '{"auc": 0.7}' > metrics.json && git add . &&
            git commit -qm better && git push -q origin better
            """, in: "hers")
        // The forge's merge button: commits only.
        try await project.sh("git pull -q --no-rebase ../fork.git better && git push -q --no-verify origin main")
        let text = try #require(try Files.readText(Self.folder.appending("github-merged-runs.yml")))
        let command = try #require(commands(try YAMLNode.parse(text, file: "github")).first)
        try await project.sh("git clone -q remote.git ci", in: "")
        let result = try await project.sandbox.run(
            "/bin/sh", ["-ec", command], in: "ci", environment: ["FORK": project.path.appending("fork.git").string])
        #expect(result.status == 0, "\(result.errors)")
        try await project.sh("git clone -q remote.git last && cd last && git ml init", in: "")
        let runs = try await project.ml("runs", "--all", "--json", in: "last").output
        #expect(runs.contains(#""auc":0.7"#))
        #expect(runs.contains(#""git-ml.origin":""#))
    }

    @Test func `workflows pass the schemas of GitHub and GitLab`() async throws {
        let sandbox = try Sandbox()
        for (forge, schema) in [("github", "vendor.github-workflows"), ("gitlab", "vendor.gitlab-ci")] {
            let files = try Self.files().filter { $0.hasPrefix(forge) }.map { Self.folder.appending($0).string }
            #expect(files.count >= 2)
            let result = try await sandbox.run(
                Places.python.appending("check-jsonschema").string, ["--builtin-schema", schema] + files)
            #expect(result.status == 0, "\(result.text)\(result.errors)")
        }
    }

    @Test func `the runner's own manifests pass the schemas of Kubernetes strictly`() async throws {
        let sandbox = try Sandbox()
        let folder = Places.package.appending("templates").appending("runner").appending("kubernetes")
        let files = try Files.list(folder).map { folder.appending($0).string }
        #expect(files.count == 3)
        let result = try await sandbox.run(
            Places.python.appending("kubernetes-validate").string, ["--strict", "--quiet"] + files)
        #expect(result.status == 0, "\(result.text)\(result.errors)")
    }

    @Test(.enabled(if: ChildProcess.find("systemd-analyze") != nil, "systemd-analyze is not here"))
    func `the units of systemd are verified by systemd itself`() async throws {
        let sandbox = try Sandbox()
        let folder = Places.package.appending("templates").appending("runner").appending("systemd")
        let result = try await sandbox.run(
            "systemd-analyze",
            ["verify", "--man=no", "--recursive-errors=no"] + Files.list(folder).map { folder.appending($0).string })
        // It complains of units of this machine too; of ours nothing may be said.
        let ours = (result.errors + result.text).split(separator: "\n").filter { $0.contains("git-ml-runner") }
        #expect(ours.isEmpty, "\(ours)")
    }

    /// GoCD's format 10 has no published schema: its documentation names these keys.
    @Test func `the pipeline of GoCD has the keys that its plugin knows`() throws {
        let file = "git-ml.gocd.yaml"
        let text = try #require(try Files.readText(Self.folder.appending(file)))
        let top = try YAMLNode.parse(text, file: file).fields(["format_version", "pipelines"])
        #expect(try top["format_version"]?.int() == 10)
        for pipeline in try #require(top["pipelines"]).entries() {
            let keys = try pipeline.value.fields([
                "group", "label_template", "lock_behavior", "display_order", "timer", "materials",
                "environment_variables",
                "stages",
            ])
            for material in try #require(keys["materials"]).entries() {
                _ = try material.value.fields(["git", "branch", "shallow_clone", "auto_update"])
            }
            for stage in try #require(keys["stages"]).list() {
                for entry in try stage.entries() {
                    let jobs = try entry.value.fields(["clean_workspace", "approval", "jobs"])["jobs"]
                    for job in try #require(jobs).entries() {
                        let tasks = try job.value.fields(["timeout", "resources", "tasks"])["tasks"]
                        let words = try #require(tasks).list().map { task in
                            let exec = try #require(try task.fields(["exec"])["exec"])
                            let fields = try exec.fields(["command", "arguments", "run_if"])
                            return [try fields["command"]?.text() ?? ""] + (try fields["arguments"]?.texts() ?? [])
                        }
                        #expect(words.contains(["git", "ml", "runner", "--once", "--wait"]))
                    }
                }
            }
        }
    }

    @Test func `the commands of the delivering workflow deliver, and the record comes back`() async throws {
        let project = try await Project.withRemote()
        try await project.sh("rm -f hooks/post-receive", in: "remote.git")
        try project.write("deploy.sh", "#!/bin/sh\nexit 0\n", mode: 0o755)
        try project.writeModel(stage: "{deploy: {to: command, run: [\(project.path)/deploy.sh]}}")
        try await project.sh("git add . && git commit -qm one && git ml register m && git ml stage m prod")
        try await project.sh("git push -q origin main --tags")
        try await project.sh("git clone -q remote.git ci", in: "")
        let text = try #require(try Files.readText(Self.folder.appending("github-deliver.yml")))
        let commands = commands(try YAMLNode.parse(text, file: "github"))
        let deliver = try #require(commands.first { $0.contains("git ml runner") })
        let result = try await project.sandbox.run(
            "/bin/sh", ["-ec", deliver], in: "ci",
            environment: ["RUNNER_TEMP": project.path.string, "KUBECONFIG_CONTENT": "none"])
        #expect(result.status == 0, "\(result.errors)\(result.text)")
        let seen = try await project.ml("deliveries", "--json").output
        #expect(try JSON.parse(seen)["status"] == "succeeded", "\(seen)")
    }

    @Test func `templates are listed, copied to where they belong, and never written over`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        let list = try await project.ml("templates", "list", "--json").output.split(separator: "\n").map {
            try JSON.parse(String($0))
        }
        let names = list.compactMap { $0["template"]?.string }
        for name in ["ci/github-deliver.yml", "deploy/kubernetes", "runner/systemd", "serving/python"] {
            #expect(names.contains(name), "\(name)")
        }
        let copied = try await project.ml("templates", "copy", "ci/github-deliver.yml")
        #expect(copied.output.hasSuffix("/work/.github/workflows/deliver.yml\n"), "\(copied)")
        try project.write("work/.github/workflows/deliver.yml", "mine")
        #expect(try await project.ml("templates", "copy", "ci/github-deliver.yml").status == 1)
        #expect(try await project.ml("templates", "copy", "deploy/kubernetes").status == 0)
        let own = Self.folder.removingLastComponent().appending("deploy/kubernetes/service.yaml")
        #expect(try project.text("work/templates/deploy/kubernetes/service.yaml") == Files.readText(own))
        #expect(try await project.ml("templates", "copy", "deploy/kubernets").status == 3)
    }
}
