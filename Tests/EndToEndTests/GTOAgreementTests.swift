import Base
import SystemPackage
import TestSupport
import Testing

/// Our registry beside GTO's own program, on repositories of random tags.
struct GTOAgreementTests {
    @Test(arguments: [1, 2])
    func `gto show and gto history tell of random tags what git ml models and history tell`(seed: UInt64) async throws {
        let project = try Project()
        let stream = RandomTags(seed: seed).stream
        try project.write("tags", stream)
        try await project.sh(
            "git init -q -b main work && cd work && git fast-import --quiet < ../tags && git reset -q --hard", in: "")
        for all in [false, true] { try await compareModels(project, all: all) }
        try await compareHistory(project)
    }

    private func compareModels(_ project: Project, all: Bool) async throws {
        let theirs = try await project.sh("gto show --json --deprecated --versions-per-stage \(all ? -1 : 1)")
        let seen = try await project.ml("models", "--json", all ? "--all" : "--json")
        #expect(seen.errors == "")
        var ours: [String: JSON] = [:]
        for line in seen.output.split(separator: "\n") {
            let model = try JSON.parse(String(line))
            ours[model["model"]?.string ?? ""] = model
        }
        let expected = try JSON.parse(theirs).members ?? []
        #expect(expected.count > 20)
        #expect(Set(ours.keys) == Set(expected.map(\.key)))
        for (name, model) in expected.map({ ($0.key, $0.value) }) {
            let own = ours[name]
            let stages = (model["stage"]?.members ?? []).filter { $0.value != .null }
            let shown = JSON.sorted(
                Dictionary(
                    uniqueKeysWithValues: (own?["stages"]?.members ?? []).map { member in
                        let versions = member.value.array?.compactMap { $0["version"]?.string } ?? []
                        return (member.key, JSON.string(versions.joined(separator: ", ")))
                    }))
            #expect(
                shown == JSON.sorted(Dictionary(uniqueKeysWithValues: stages.map { ($0.key, $0.value) })), "\(name)")
            #expect((own?["latest"]?["version"] ?? .null) == model["version"], "\(name)")
            #expect(own?["deprecated"]?.bool == model["active"]?.bool.map { !$0 }, "\(name)")
        }
    }

    private func compareHistory(_ project: Project) async throws {
        let theirs = try JSON.parse(await project.sh("gto history --json")).array ?? []
        let ours = try await project.ml("history", "--json").output.split(separator: "\n").map {
            try JSON.parse(String($0))
        }
        #expect(ours.count > 300)
        let expected = try theirs.map { event in
            [
                try seconds(event["timestamp"]?.string ?? ""), event["artifact"]?.string, event["event"]?.string,
                event["version"]?.string, event["stage"]?.string, event["commit"]?.string, event["author"]?.string,
                event["author_email"]?.string, event["message"]?.string, event["ref"]?.string,
            ].map { $0 ?? "-" }.joined(separator: " ")
        }
        let shown = ours.map { event in
            let time = event["time"]?.string.flatMap { Timestamp($0) }
            // GTO names a commit without a version by its id, and strips messages.
            let version = event["version"]?.string ?? (event["stage"] == .null ? nil : event["commit"]?.string)
            return [
                time.map { "\($0.microseconds / 1_000_000)" }, event["model"]?.string, event["event"]?.string,
                version, event["stage"]?.string, event["commit"]?.string, event["by"]?.string,
                event["email"]?.string, event["message"]?.string?.trimmingTrailingSpace, event["tag"]?.string,
            ].map { $0 ?? "-" }.joined(separator: " ")
        }
        #expect(Set(shown) == Set(expected))
        #expect(shown.count == expected.count)
        // Events of one second and one kind have no order that anybody could rely on.
        let expectedOrder = try theirs.map {
            [try seconds($0["timestamp"]?.string ?? ""), $0["event"]?.string]
        }
        #expect(ours.map(order) == expectedOrder)
    }

    private func order(_ event: JSON) -> [String?] {
        let time = event["time"]?.string.flatMap { Timestamp($0) }
        return [time.map { "\($0.microseconds / 1_000_000)" }, event["event"]?.string]
    }

    /// Reads `2023-11-14T22:13:25+05:30`.
    private func seconds(_ text: String) throws -> String {
        let zone = text.suffix(6)
        let time = try #require(Timestamp(text.dropLast(6) + "Z"))
        let parts = zone.dropFirst().split(separator: ":").compactMap { Int64($0) }
        let offset = (parts[0] * 60 + parts[1]) * (zone.hasPrefix("-") ? -60 : 60)
        return "\(time.microseconds / 1_000_000 - offset)"
    }
}

/// A stream for `git fast-import`: commits, and tags of many models in random order and at random times, some by plain names
/// and some with counters; and other tags that are none of a model's.
private struct RandomTags {
    private var random: SeededGenerator
    private(set) var stream = ""
    private let commits = 8
    private let stages = ["dev", "staging", "prod", "eu/prod"]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let names = (0..<24).map { i in i % 5 == 0 ? "team\(i)/a.b=m\(i)" : "m\(i)" }
        let annotated = ["m1", "m2", "m3", "lonely"]
        for i in 1...commits {
            let time = 1_700_000_000 + Int.random(in: 0...40, using: &random)
            stream += "commit refs/heads/main\nmark :\(i)\ncommitter Cy <c@example.com> \(time) +0000\ndata 1\nc\n"
            if i > 1 { stream += "from :\(i - 1)\n" }
            if i == commits {
                let text = annotated.map { "\($0): {type: model, path: models/\($0), labels: [x]}\n" }.joined()
                stream += "M 100644 inline artifacts.yaml\ndata \(text.utf8.count)\n\(text)\n"
            }
            stream += "\n"
        }
        for name in names { addTags(name) }
        for light in ["light#prod#1", "light@v1.0.0", "release-1.0", "v2"] {
            stream += "reset refs/tags/\(light)\nfrom :1\n\n"
        }
    }

    private mutating func pick<T>(_ items: [T]) -> T { items[Int.random(in: 0..<items.count, using: &random)] }

    private mutating func addTags(_ model: String) {
        // GTO fails on a commit with two versions of one model: each commit has a number of its own.
        let numbers = [
            "v1.0.0", "v0.9.0-rc.1", "v1.0.0-rc.2", "v1.0.0-rc.10", "v1.2.0", "v2.0.0+b1", "v2.0.0+b2", "v10.0.0",
        ]
        let spread = pick([3, 40, 1_000])
        var counter = 0
        var used: Set<String> = []
        for _ in 0..<Int.random(in: 6...36, using: &random) {
            let commit = Int.random(in: 1...commits, using: &random)
            var body: String
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<4: body = "@\(numbers[commit - 1])"
            case 4..<6: body = "@\(numbers[commit - 1])!"
            case 6..<14: body = "#\(pick(stages))"
            case 14..<19: body = "#\(pick(stages))!"
            default: body = "@deprecated"
            }
            if used.contains(body) || Bool.random(using: &random) {
                // Counters do not follow the dates: they were pushed late, or made by a wrong clock.
                counter += 1
                body += "#\(counter)"
            }
            used.insert(body)
            addTag(model + body, commit, 1_700_000_000 + Int.random(in: 0...spread, using: &random))
        }
    }

    private mutating func addTag(_ name: String, _ commit: Int, _ time: Int) {
        let person = pick(["Ann <ann@example.com>", "Bo Berg <bo@example.com>"])
        let zone = pick(["+0000", "+0530", "-0800"])
        stream += "tag \(name)\nfrom :\(commit)\ntagger \(person) \(time) \(zone)\ndata 2\nx\n\n"
    }
}
