internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import SystemPackage

struct UpdateImports: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Bring imported data up to date with the repositories that it came from",
        discussion: """
            Follows each import's branch or tag; what changed is brought and staged, not committed. An import that was changed here
            is left alone unless --force says to lose the change. `.ml/imports.yaml` says what was imported from where.

              $ git ml update
              $ git ml update data/train.csv --rev v2.0      from now on follow v2.0

            Exit status: 1 when an import was changed here; the others are up to date then.
            """)

    @Argument(help: "Imports, or folders of them; without, all.")
    var paths: [String] = []

    @OptionGroup var revision: RevisionOption

    @Flag(help: "Replace what was changed here.")
    var force = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        let bar = ProgressBar("fetching")
        defer { bar.finish() }
        let link = try Project.inWorkTree(of: repository).data.link
        let data = try DataImport(repository, link: link) { bar.advance(by: $0, of: $1) }
        let names = try paths.map { try WorkTreePath.relative(FilePath($0), in: repository) }
        let origins = try await data.origins(names)
        if origins.isEmpty, !json.isOn { print("Nothing has been imported.") }
        var failures: [any Failure] = []
        for origin in origins {
            do {
                let outcome = try await data.update(origin, revision: revision.rev, force: force)
                bar.finish()
                ImportReport(outcome).print(json: json.isOn)
            } catch let failure as any Failure where origins.count > 1 {
                // One that cannot be reached does not keep the others from being brought up to date.
                failures.append(failure)
            }
        }
        guard let first = failures.first else { return }
        if failures.count == 1 { throw first }
        for failure in failures { Terminal.error("git-ml: \(Terminal.safe(failure.description))") }
        throw UpdateFailures(count: failures.count, first: first)
    }
}

/// Several imports that could not be brought up to date.
private struct UpdateFailures: Failure {
    let count: Int
    let first: any Failure
    var kind: FailureKind { first.kind }
    var description: String { "\(count) imports were not brought up to date" }
    var hints: [String] { first.hints }
}
