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
            #expect(commands.contains { $0.contains("git ml sync --from") }, "\(file)")
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
}
