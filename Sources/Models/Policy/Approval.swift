public import Base
public import GitKit

/// Somebody's word that a model at a commit may go into a stage; an event line on that commit.
public struct Approval: Sendable, Equatable {
    public let time: Timestamp
    public let model: String
    /// Nil: whatever stage.
    public let stage: String?
    public let commit: ObjectID
    /// The address that git has of whoever approved.
    public let by: String
    public let message: String?
    /// Armoured, of SSH or OpenPGP, over ``signedText(repositoryID:)``; nil when it is not signed.
    public var signature: String?

    public init(
        _ model: ModelName, _ commit: ObjectID, stage: String?, by: String, message: String?, time: Timestamp = .now()
    ) {
        self.time = time
        self.model = model.description
        self.stage = stage
        self.commit = commit
        self.by = by
        self.message = message
    }

    /// Reads an event line; nil for one of another kind, or of another commit than the one that it lies on.
    public init?(_ line: String, on object: ObjectID) {
        guard let json = try? JSON.parse(line), json["ev"]?.string == "approve",
            let time = json["t"]?.string.flatMap({ Timestamp($0) }), let model = json["model"]?.string,
            let commit = json["commit"]?.string.flatMap({ ObjectID($0) }), commit == object,
            let by = json["by"]?.string
        else { return nil }
        self.time = time
        self.model = model
        self.commit = commit
        self.by = by
        stage = json["stage"]?.string
        message = json["message"]?.string
        signature = json["signature"]?.string
    }

    private var members: [JSON.Member] {
        [
            JSON.Member("t", .string(time.description)), JSON.Member("ev", "approve"),
            JSON.Member("model", .string(model)), JSON.Member("stage", .optional(stage)),
            JSON.Member("commit", .string(commit.hex)), JSON.Member("by", .string(by)),
            JSON.Member("message", .optional(message)),
        ]
    }

    /// The event line.
    var line: String { json.description }

    /// The event as `git ml approve --list --json` prints it.
    public var json: JSON { .object(members + [JSON.Member("signature", .optional(signature))]) }

    /// What is signed, byte for byte: the line `git-ml-approve: 1`, the line `repo: ` with the id that `ml.yaml` gives the
    /// repository, an empty line, and the event line without its `signature`, with a line feed.
    ///
    /// The namespace of an SSH signature is `git`. No object of git begins like that, so a signature cannot be taken for one
    /// of a tag or commit; the repository's id stops it from being used in another one.
    public func signedText(repositoryID: String?) -> [UInt8] {
        Array("git-ml-approve: 1\nrepo: \(repositoryID ?? "")\n\n\(JSON.object(members))\n".utf8)
    }

    /// Whose signature it carries.
    func signer(_ signers: Signers, repositoryID: String?) async throws -> Signer {
        let text = signedText(repositoryID: repositoryID)
        let signed = SignedText(payload: text, signature: signature ?? "")
        // What was put into it must not be read as a signature of its own.
        guard signed.payload == text else { throw SignatureFailure.unreadable(reason: "it holds another one") }
        return try await signers.verify(signed)
    }
}

/// The approvals in `refs/notes/ml/deliveries`.
public struct ApprovalLog: Sendable {
    public static let ref = "refs/notes/ml/deliveries"

    private let notes: Notes

    public init(_ repository: Repository) { notes = Notes(Self.ref, in: repository) }

    /// Adds an approval to its commit's note.
    public func add(_ approval: Approval) throws {
        try notes.add([approval.commit: [approval.line]], message: "approve: \(approval.model)")
    }

    /// All approvals, latest first.
    public func all() throws -> [Approval] {
        try notes.all().flatMap { object, lines in lines.compactMap { Approval($0, on: object) } }.sorted {
            ($0.time, $0.line) > ($1.time, $1.line)
        }
    }

    /// Those of a model at a commit that count for a stage, oldest first.
    public func approvals(of model: ModelName, at commit: ObjectID, for stage: String) throws -> [Approval] {
        try notes.lines(on: commit).compactMap { Approval($0, on: commit) }.filter {
            $0.model == model.description && ($0.stage == nil || $0.stage == stage)
        }
    }
}
