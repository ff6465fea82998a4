internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs

struct Approve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Approve that a model goes into a stage",
        discussion: """
            Writes an event on the commit, which the next push sends. A stage with `approvals: N` takes a model that N people
            have approved, other than who wrote the commit, who trained the model and who made the tag. Where the stage has
            `signers:`, an approval is signed with the key that git signs tags with, and only keys of that file count.

              $ git ml approve churn v1.2.0 prod -m 'looked at the errors by region'
              $ git ml approve churn@v1.2.0 prod
              $ git ml approve churn HEAD --sign
              $ git ml approve --list churn
            """)

    @Argument(help: "The model, as ml.yaml names it; with the version in it: NAME@VERSION, NAME#STAGE, models:/NAME/N.")
    var model: ModelArgument?

    @Argument(help: "The version, commit or run; left out where the model's name says it.")
    var revision: String?

    @Argument(help: "The stage; default: whatever stage.")
    var stage: String?

    @Option(name: .shortAndLong, help: "Why.")
    var message: String?

    @Flag(help: "Sign it, also where policy does not ask for that.")
    var sign = false

    @Flag(help: "List the approvals that there are, latest first.")
    var list = false

    @OptionGroup var json: JSONOption

    /// The revision and the stage; behind a model that says its version the stage stands in the place of the revision.
    private func meant() throws -> (revision: String?, stage: String?) {
        guard let model, model.address != nil else { return (revision, stage) }
        return (try model.version(or: stage == nil ? nil : revision), revision)
    }

    func validate() throws {
        let (revision, _) = try meant()
        if list {
            if revision != nil || sign || message != nil {
                throw ValidationError("--list goes with a model's name only")
            }
        } else {
            if revision == nil { throw ValidationError("say which MODEL and COMMIT, or --list") }
            if json.isOn { throw ValidationError("--json goes with --list") }
        }
    }

    func run() async throws {
        let repository = try Repository.current()
        if list { return try await show(repository) }
        let (revision, stage) = try meant()
        let models = try ModelProject(repository)
        let project = models.project
        let (entry, path) = try models.declared(model?.name ?? "")
        let name = entry.name
        if let stage, project.stage(stage, of: name) == nil {
            throw ModelFailure.unknownStage(stage, known: Array(project.stages.keys))
        }
        let commit = try Candidate.find(
            revision, of: name, path: path, registry: models.registry, repository: repository,
            runs: { try RunStore.current() }
        ).commit
        guard try repository.entry(path, in: commit) != nil else {
            throw ModelFailure.noFile(path: path, commit: commit.short)
        }
        let user = try repository.user()
        var approval = Approval(name, commit, stage: stage, by: user.email, message: message)
        if sign || Self.asksForSignature(project, name, stage) {
            approval.signature = try await GitSigning(repository).sign(
                approval.signedText(repositoryID: project.repositoryID))
        }
        try ApprovalLog(repository).add(approval)
        let signed = approval.signature == nil ? "" : ", signed"
        print("approved \(name) \(commit.short) for \(stage ?? "whatever stage") as \(user.email)\(signed)")
        if try repository.commit(commit).author.email == user.email {
            print("it will not count: you wrote the commit")
        }
        print("the next `git push` sends it, or `git ml sync` at once")
    }

    private static func asksForSignature(_ project: Project, _ model: ModelName, _ stage: String?) -> Bool {
        guard let stage else {
            return (project.models[model]?.stages ?? project.stages).values.contains { $0.signers != nil }
        }
        return project.stage(stage, of: model)?.signers != nil
    }

    private func show(_ repository: Repository) async throws {
        try NotesSync(repository).mergeFetched()
        let approvals = try ApprovalLog(repository).all().filter { model == nil || $0.model == model?.name }
        if json.isOn {
            for approval in approvals { print(approval.json) }
        } else if approvals.isEmpty {
            print("No approvals yet: `git ml approve MODEL COMMIT STAGE` writes one.")
        } else {
            Self.table(approvals).print()
        }
    }

    static func table(_ approvals: [Approval]) -> Table {
        var table = Table(["APPROVED", "COMMIT", "WHEN", "BY", "SIGNED", "WHY"])
        for approval in approvals {
            table.add([
                approval.model + (approval.stage.map { "#\($0)" } ?? ""), approval.commit.short, approval.time.minutes,
                approval.by, approval.signature == nil ? "" : "yes", approval.message ?? "",
            ])
        }
        return table
    }
}
