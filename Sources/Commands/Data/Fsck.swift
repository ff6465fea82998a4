internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

struct Fsck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verify pointers and content, and repair what the data remote still has",
        discussion: """
            Reads all content of this clone. What is damaged is moved to `lfs/bad` (of datasets `ml/bad`) in git's folder and brought again from the data
            remote. Content that is only at the remote is no fault. Records of runs that contradict each other, two beginnings
            under one id, are told of too. Status 5 when something stays wrong.

              $ git ml fsck
              $ git ml fsck v1.0 --dry-run
            """)

    @Argument(help: "A commit whose pointers are looked at; without it those of the index.")
    var revision: String?

    @Flag(help: "Only report.")
    var dryRun = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        let check = DataCheck(repository)
        let commit =
            try revision.map { try repository.resolve($0) } ?? (repository.workTree == nil ? repository.head() : nil)
        var open = 0
        let datasets = DatasetCheck(repository)
        let sizes = try await datasets.sizes(at: commit)
        for content in try await check.damaged() {
            if try await !repair(content, repository, repository.contentStore, [:]) { open += 1 }
        }
        let objects = KeptObjects(repository).store
        for content in try await check.damaged(in: objects) {
            if try await !repair(content, repository, objects, sizes) { open += 1 }
        }
        let problems = try await check.pointers(at: commit) + datasets.problems(at: commit)
        let missing = problems.filter { $0.kind == .missing }.compactMap(\.content)
        var present: Set<ContentID> = []
        var silence: String?
        if !missing.isEmpty {
            do {
                let remote = try DataCommand(repository).remote(nil)
                present = try await remote.present(missing, for: .download)
            } catch { silence = "\(error)" }
        }
        for problem in problems {
            if problem.kind == .missing, let content = problem.content, present.contains(content) { continue }
            if problem.kind == .missing, !dryRun, let place = takeFromWorkTree(problem, repository) {
                say(problem.kind.rawValue, problem.path, problem.content, "taken from \(place)", isRepaired: true)
                continue
            }
            open += 1
            let reason = problem.kind == .missing ? (silence ?? "neither here nor at the remote") : problem.detail
            say(problem.kind.rawValue, problem.path, problem.content, reason, isRepaired: false)
        }
        for wrong in try RecordCheck(repository).contradictions() {
            open += 1
            let commits = wrong.commits.map(\.short).joined(separator: ", ")
            say("contradiction", "run \(wrong.run)", nil, "\(wrong.reason) (notes of \(commits))", isRepaired: false)
        }
        if open > 0 { throw ExitCode(5) }
        if !json.isOn { print("All pointers and content are right.") }
    }

    /// Takes missing content from the file that it is of, if that has not been changed.
    private func takeFromWorkTree(_ problem: DataCheck.Problem, _ repository: Repository) -> FilePath? {
        guard let path = problem.path, let content = problem.content, let workTree = repository.workTree else {
            return nil
        }
        let file = workTree.file(Array(path.utf8))
        guard Files.status(file)?.kind == .file, Files.status(file)?.size == content.size else { return nil }
        do {
            try repository.contentStore.insert(copyOf: file, as: content.digest, size: content.size)
            return file
        } catch { return nil }
    }

    private func repair(
        _ content: ContentID, _ repository: Repository, _ store: ContentStore, _ sizes: [Digest: Int64]
    ) async throws -> Bool {
        var detail = "its bytes do not match its name"
        var isRepaired = false
        if !dryRun {
            let place = try store.quarantine(content.digest)
            detail += "; moved to \(place)"
            do {
                let remote = try DataCommand(repository).remote(nil)
                // Damage may have changed the size: what a pointer says counts.
                let files = try await DataFiles(repository).inIndex().map(\.pointer)
                let size = sizes[content.digest] ?? files.first { $0.digest == content.digest }?.size ?? content.size
                try await Transfer(remote, store: store).download([ContentID(content.digest, size: size)])
                isRepaired = true
                detail += "; brought again from \(remote.address)"
            } catch { detail += "; it could not be brought again: \(error)" }
        }
        say(DataCheck.Problem.Kind.damaged.rawValue, nil, content, detail, isRepaired: isRepaired)
        return isRepaired
    }

    private func say(_ problem: String, _ path: String?, _ content: ContentID?, _ detail: String, isRepaired: Bool) {
        if json.isOn {
            print(
                [
                    "problem": .string(problem), "path": .optional(path),
                    "oid": .optional(content?.digest.description), "detail": .string(detail),
                    "repaired": .bool(isRepaired),
                ] as JSON)
        } else {
            print(Terminal.safe("\(problem): \(path ?? content?.digest.hex ?? ""): \(detail)"))
        }
    }
}
