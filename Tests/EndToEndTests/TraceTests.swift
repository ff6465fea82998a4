import Base
import SystemPackage
import TestSupport
import Testing

/// From data to where it is served, and back.
struct TraceTests {
    @Test func `a model is followed back to its data, and data on to where it is served`() async throws {
        let project = try Project()
        try await project.sh("git init -q work", in: "")
        try await project.sh("git ml init && git ml track 'data/*.csv' 'models/*'")
        try project.write("work/data/train.csv", "a,b\n1,2\n")
        try project.writeSettings("stages:\n  prod: {deploy: {to: command, run: ['true']}}\n")
        try await project.sh("git add -A && git commit -qm data")
        try project.write("work/models/.keep", "")
        try await project.sh(
            """
            git ml run --name train -- sh -c 'cp data/train.csv models/m.bin'
            git add -A && git commit -qm model && git ml register m && git ml stage m prod && git ml runner --once --wait
            """)
        let seen = try await project.ml("trace", "m#prod")
        let kinds = seen.output.split(separator: "\n").compactMap { $0.split(separator: " ").first }
        #expect(kinds == ["data", "run", "commit", "model", "tag", "tag", "image", "deployed"], "\(seen)")
        #expect(seen.output.contains("m#prod#1  succeeded  command:true"), "\(seen)")
        let back = try await project.ml("trace", "m#prod", "--json")
        let chain = try JSON.parse(back.output)
        #expect(chain["model"] == "m" && chain["path"] == "models/m.bin", "\(back)")
        #expect(chain["runs"]?.array?.first?["name"] == "train")
        let deployment = try #require(chain["deployments"]?.array?.first)
        #expect(deployment["current"] == true && deployment["image"]?.string?.isEmpty == false, "\(back)")
        // The other way, from a folder below: the same chain.
        let data = try await project.ml("trace", "../data/train.csv", "--json", in: "work/models")
        let onward = try JSON.parse(data.output)
        #expect(onward["tags"] == chain["tags"] && onward["deployments"] == chain["deployments"], "\(data)")
        let oid = try #require(chain["runs"]?.array?.first?["inputs"]?.array?.first { $0["path"] == "data/train.csv" })
        let content = try await project.ml("trace", oid["oid"]?.string ?? "", "--json")
        #expect(content.output == data.output)
        let none = try await project.ml("trace", "data/other.csv")
        #expect(none.status == 3 && none.errors.contains("no recorded run has read it"), "\(none)")
    }
}
