import Base
import SystemPackage
import TestSupport
import Testing

/// `git ml review`: one page of what would change.
struct ReviewTests {
    private let project: Project

    /// A model `m` with v1.0.0 in `prod`, and a second experiment on top that differs in everything.
    init() async throws {
        project = try Project()
        try await project.sandbox.repository()
        try await project.sh(
            """
            git init -q --bare ../remote.git && git remote add origin ../remote.git
            git ml init && git ml track 'data/*.csv' 'models/**'
            """)
        try project.writeSettings("stages:\n  prod:\n    gate: [metrics.auc >= 0.8, metrics.odd <= 5]\n")
        try project.write("work/train.py", Self.script)
        try project.write("work/data/train.csv", "id,age\n1,1\n2,2\n")
        try await experiment("one", lr: "0.1", rows: 2)
        try await project.sh("git ml register m && git ml stage m prod")
        try project.write("work/sets/a.txt", "a")
        try project.write("work/data/train.csv", "id,age,plan\n1,1,a\n2,2,b\n3,3,c\n")
        try await project.sh("git ml add --dataset sets && sed -i 's/# one/# two/' train.py")
        try await experiment("second | <b>&</b> `x`", lr: "0.2", rows: 3)
    }

    private static let script = """
        import json, os, sys  # one
        lr, rows = float(sys.argv[1]), int(sys.argv[2])
        os.makedirs("models", exist_ok=True)
        open("models/m.bin", "w").write("model" * rows)
        json.dump({"auc": 0.8 + lr / 10, "loss": lr, "odd": rows, "count": rows}, open("metrics.json", "w"))

        """

    private func experiment(_ message: String, lr: String, rows: Int) async throws {
        try project.write("work/params.yaml", "lr: \(lr)\nkept: 1\n")
        try await project.sh(
            "git add -A && git commit -qm code && git ml run -- python3 train.py \(lr) \(rows) 2>/dev/null")
        try await project.sh("git add -A")
        let result = try await project.sandbox.run("git", ["commit", "-qm", message], in: "work")
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `a review tells what would change in metrics, parameters, data, code and the model`() async throws {
        let seen = try await project.ml("review", "m", "prod", "--json")
        #expect(seen.status == 0, "\(seen)")
        let review = try #require(try seen.objects.first)
        func rows(_ key: String) -> [JSON] { review[key]?.array ?? [] }
        #expect(review["current"]?["version"]?.string == "v1.0.0")
        #expect(review["passed"]?.bool == true)
        let metrics = Dictionary(uniqueKeysWithValues: rows("metrics").map { ($0["key"]?.string ?? "", $0) })
        #expect(metrics["auc"]?["verdict"]?.string == "better")
        #expect(metrics["loss"]?["verdict"]?.string == "worse")
        // By its gate, not by its name; and nothing is said where nobody knows.
        #expect(metrics["odd"]?["verdict"]?.string == "worse")
        #expect(metrics["count"]?["verdict"] == .null)
        #expect(rows("params").map(\.description) == [#"{"key":"lr","old":"0.1","new":"0.2"}"#])
        let data = rows("data")
        #expect(data.map { $0["path"]?.string } == ["data/train.csv", "sets"])
        #expect(data.first?["old"]?["rows"]?.int == 2)
        #expect(data.first?["new"]?["rows"]?.int == 3)
        #expect(data.first?["new"]?["columns"]?.array?.compactMap(\.string) == ["id", "age", "plan"])
        #expect(data.last?["kind"]?.string == "dataset")
        #expect(data.last?["files"]?["added"]?.int == 1)
        #expect(rows("code").contains { $0["path"]?.string == "train.py" && $0["added"]?.int == 1 })
        #expect(
            !rows("code").contains { ["models/m.bin", "data/train.csv", "sets.dataset"].contains($0["path"]?.string) })
        #expect(review["candidate"]?["size"]?.int == 15)
        #expect(review["current"]?["size"]?.int == 10)
        #expect(review["reproducibility"]?["verdict"]?.string == "incomplete")
        #expect(
            review["reproducibility"]?["reasons"]?.array?.compactMap(\.string) == [
                "the code has no lock file for its environment"
            ])
    }

    @Test func `the page is on the terminal, in HTML without anything to load, and in Markdown that renders`()
        async throws
    {
        let seen = try await project.ml("review", "m", "prod")
        #expect(seen.status == 0)
        for words in [
            "m → prod: ", "all gates passed", "Versions", "Metrics", "worse", "data/train.csv", "new columns plan",
        ] {
            #expect(seen.output.contains(words), "\(words)")
        }
        let files = try await project.ml("review", "m", "prod", "--html", "r.html", "--markdown", "r.md")
        #expect(files == Seen(status: 0, output: "", errors: ""))
        let html = try #require(try project.text("work/r.html"))
        #expect(html.contains("second | &lt;b&gt;&amp;&lt;/b&gt; `x`"))
        #expect(html.contains("default-src 'none'"))
        // As GitHub's and GitLab's parsers do it: the texts stand as they are, in code, in tables of full width.
        let rendered = try await project.sandbox.run(
            "python3",
            [
                "-c",
                """
                from markdown_it import MarkdownIt
                print(MarkdownIt("commonmark", {"html": True}).enable("table").render(open("r.md").read()))
                """,
            ], in: "work")
        #expect(rendered.status == 0, "\(rendered.errors)")
        #expect(rendered.text.contains("<td><code>second | &lt;b&gt;&amp;&lt;/b&gt; `x`</code></td>"))
        #expect(!rendered.text.contains("<b>") && !rendered.text.contains("<a "))
        #expect(try project.text("work/r.md")?.hasPrefix("<!-- git-ml review m prod -->\n") == true)
        let both = try await project.ml("review", "m", "prod", "--json", "--html", "-")
        #expect(both.status == 64)
    }

    @Test func `a stage with nothing in it, and a candidate without a run, have a page too`() async throws {
        try project.writeSettings("stages:\n  prod: {}\n  test: {gate: [metrics.auc > 0.9]}\n")
        let first = try await project.ml("review", "m", "test", "v1.0.0")
        #expect(first.status == 0)
        #expect(first.output.contains("nothing") && first.output.contains("1 of 1 gates failed"))
        let root = try await project.sh("git rev-list --max-parents=0 HEAD").trimmingTrailingSpace
        let bare = try await project.ml("review", "m", "prod", root)
        #expect(bare.status == 0)
        #expect(bare.output.contains("no run is recorded on"))
        #expect(try await project.ml("review", "m", "none").status == 3)
        #expect(try await project.ml("review", "m", "prod", "nowhere").status == 3)
    }

    @Test
    func `the templates' commands write a review in a fresh clone, and take event data from the environment only`()
        async throws
    {
        try await project.sh("git push -q -u origin main --tags && git clone -q ../remote.git ../ci")
        let folder = Places.package.appending("templates").appending("review")
        for file in ["github-review.yml", "gitlab-review.yml"] {
            let text = try #require(try Files.readText(folder.appending(file)))
            let commands = Self.commands(try YAMLNode.parse(text, file: file))
            #expect(commands.allSatisfy { !$0.contains("${{") })
            let lines = commands.flatMap { $0.split(separator: "\n") }.filter { $0.hasPrefix("git ml ") }
            #expect(lines.count == 3)
            let result = try await project.sandbox.run(
                "/bin/sh", ["-ec", lines.joined(separator: "\n")], in: "ci",
                environment: ["MODEL": "m", "STAGE": "prod", "RUNNER_TEMP": ".", "CI_COMMIT_SHA": "HEAD"])
            #expect(result.status == 0, "\(result.errors)")
            let review = try #require(try project.text("ci/review.md"))
            #expect(review.contains("all gates passed") && review.contains("`loss`"))
        }
    }

    private static func commands(_ node: YAMLNode) -> [String] {
        switch node.value {
        case .map(let entries):
            entries.flatMap { entry in
                ["run", "script"].contains(entry.key) ? texts(entry.value) : commands(entry.value)
            }
        case .list(let items): items.flatMap { commands($0) }
        case .scalar: []
        }
    }

    private static func texts(_ node: YAMLNode) -> [String] {
        switch node.value {
        case .scalar(let text, _): [text]
        case .list(let items): items.flatMap { texts($0) }
        case .map: []
        }
    }
}
