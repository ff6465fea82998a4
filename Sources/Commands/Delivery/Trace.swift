internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Runs
internal import SystemPackage

struct Trace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow a model back to its data, or data on to where it is served",
        discussion: """
            data → run → commit → model → tag → image → deployment, as runs, tags and deliveries tell it. A file or folder
            stands for all that ever lay there; a digest for that content only.

              $ git ml trace churn#prod
              $ git ml trace churn@v1.2.0 --json
              $ git ml trace data/train.csv
              $ git ml trace sha256:5f7c…

            Exit statuses: 3 when there is no such model, or no run has read the file.
            """)

    @Argument(help: "MODEL, MODEL@VERSION or MODEL#STAGE; or a file, a folder or a digest of data.")
    var subject: String

    @OptionGroup var json: JSONOption

    func run() async throws {
        let store = try RunStore.current()
        let models = try ModelProject(store.repository)
        let lineage = try Lineage(store, models.registry) { models.path(of: $0) }
        let chains = try await chains(lineage, models)
        if json.isOn {
            for chain in chains { print(chain.json) }
            return
        }
        for (i, chain) in chains.filter({ $0.model != nil }).enumerated() {
            if i > 0 { print("") }
            show(chain)
        }
        let untagged = chains.filter { $0.model == nil }
        if untagged.isEmpty { return }
        if untagged.count < chains.count { print("") }
        print("no tag leads to what these made of it:")
        for chain in untagged.prefix(20) { for run in chain.runs { line("run", Self.text(run)) } }
        if untagged.count > 20 { print("… and \(untagged.count - 20) more, which --json lists") }
    }

    private func chains(_ lineage: Lineage, _ models: ModelProject) async throws -> [Lineage.Chain] {
        if let digest = Digest(subject) { return try some(lineage.from(path: "", content: digest)) }
        if let address = try? ModelAddress(subject), !address.isBare || isModel(address.model, models) {
            return [try lineage.of(address.resolve(in: models.registry, declared: models.project.models.keys))]
        }
        return try await some(lineage.from(path: path(models.repository)))
    }

    /// The path from the top of the work tree.
    private func path(_ repository: Repository) async throws -> String {
        guard repository.workTree != nil else { return subject }
        let folder = try await Git(in: Installation.currentFolder)("rev-parse", "--show-prefix").trimmingTrailingSpace
        return FilePath(folder).pushing(FilePath(subject)).lexicallyNormalized().string
    }

    private func isModel(_ name: ModelName, _ models: ModelProject) -> Bool {
        models.registry.models[name] != nil || models.project.models[name] != nil
    }

    private func some(_ chains: [Lineage.Chain]) throws -> [Lineage.Chain] {
        if chains.isEmpty { throw NothingTraced(subject: subject) }
        return chains
    }

    // MARK: - For people

    private func show(_ chain: Lineage.Chain) {
        var made: Set<Digest> = []
        for run in chain.runs {
            for input in run.inputs where !made.contains(input.digest) {
                line("data", "\(input.path)  \(input.digest.short)  \(ByteCount.format(input.size))")
            }
            line("run", Self.text(run))
            made.formUnion(run.outputs.map(\.digest))
        }
        if chain.runs.isEmpty { line("run", "none is recorded") }
        if let commit = chain.commit { line("commit", commit.short) }
        if let model = chain.model {
            line("model", ["\(model)", chain.path, chain.digest?.short].compactMap(\.self).joined(separator: "  "))
        }
        for tag in chain.tags {
            line("tag", "\(tag.name)  \(tag.time.minutes)" + (tag.by.map { "  by \($0)" } ?? ""))
        }
        for delivered in chain.deliveries {
            let record = delivered.record
            if let image = record.image ?? record.digest { line("image", image) }
            let place = record.target ?? record.reason ?? ""
            line("deployed", "\(record.name)  \(record.status)\(delivered.isCurrent ? "" : ", replaced")  \(place)")
        }
    }

    private static func text(_ run: Run) -> String {
        [String(run.id.prefix(13)), run.name, run.status, run.started.minutes].compactMap(\.self)
            .joined(separator: "  ")
    }

    private func line(_ kind: String, _ text: String) {
        Terminal.line(kind + String(repeating: " ", count: 10 - kind.count) + Terminal.safe(text))
    }
}

/// Data that no run has read.
struct NothingTraced: Failure {
    let subject: String
    var kind: FailureKind { .notFound }
    var description: String { "“\(subject)” is no model, and no recorded run has read it" }
    var hints: [String] {
        [
            "`git ml models` lists models",
            "`git ml run -- CMD` records what a command reads, `git fetch` brings others' runs",
        ]
    }
}
