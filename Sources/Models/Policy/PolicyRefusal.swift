public import Base
public import GitKit

/// Why policy says no to a tag.
public enum PolicyRefusal: Failure, Equatable {
    case light
    case notOnCommit(ObjectKind)
    /// The tag object bears another name than the ref.
    case otherName(String)
    case noModel(String, known: [String])
    case noStage(String, known: [String])
    case noFile(path: String, commit: ObjectID)
    case unreachable(commit: ObjectID, branch: String)
    /// A shallow clone cannot tell.
    case historyCutOff(commit: ObjectID)
    case signature(SignatureFailure)
    case noSigners(file: String)
    /// A good signature of somebody whom policy does not allow to do this.
    case notAllowed(names: [String], stage: String, allowed: [String])
    case noStatement
    /// A line of the statement, what it says, and what is true.
    case statement(key: String, says: String, is: String)
    case ended(String)
    /// The tag before is not here: it was hidden or removed.
    case previousGone(String)
    case approvals(count: Int, needed: Int, passedOver: [String])
    case counter(highest: String)
    case moved
    case deleted
    case likeAnother(String)

    public var kind: FailureKind { .user }

    /// Whether the tag itself is not at fault, so that it is looked at again when something has changed.
    public var waits: Bool {
        if case .approvals = self { true } else { false }
    }

    public var description: String {
        switch self {
        case .light: "it is a light tag, which says neither who made it nor when"
        case .notOnCommit(let kind): "it is on a \(kind), not on a commit"
        case .otherName(let name): "the tag object says “\(name)”: it was made for another name"
        case .noModel(let name, _): "ml.yaml on the protected branch names no model “\(name)”"
        case .noStage(let name, _): "ml.yaml on the protected branch names no stage “\(name)”"
        case .noFile(let path, let commit): "the model file \(path) is not in the commit \(commit.short)"
        case .unreachable(let commit, let branch): "the commit \(commit.short) is not on the protected branch \(branch)"
        case .historyCutOff(let commit):
            "whether the commit \(commit.short) is on the protected branch cannot be told in a shallow clone"
        case .signature(let failure): "\(failure)"
        case .noSigners(let file): "policy asks for a signature, and its file \(file) is not on the protected branch"
        case .notAllowed(let names, let stage, let allowed):
            "it is signed by \(names.joined(separator: ", ")), and only \(allowed.joined(separator: ", ")) may stage in “\(stage)”"
        case .noStatement: "the stage is strict, and the tag has no statement of `git ml stage`"
        case .statement(let key, let says, let truth): "its statement says \(key) “\(says)”, and it is “\(truth)”"
        case .ended(let time): "its statement held until \(time)"
        case .previousGone(let id): "the tag before it, \(id.prefix(10)), is not here: it was hidden or removed"
        case .approvals(let count, let needed, let passedOver):
            "it has \(count) of \(needed) approvals"
                + (passedOver.isEmpty ? "" : " (not counted: \(passedOver.joined(separator: "; ")))")
        case .counter(let highest): "its counter is not higher than that of \(highest), which is there already"
        case .moved: "tags of models are not moved once they are pushed"
        case .deleted: "tags of models are not deleted"
        case .likeAnother(let name): "its model and “\(name)”, which is there already, differ only in case"
        }
    }

    public var hints: [String] {
        switch self {
        case .light: ["make it an annotated tag: `git tag -a -f TAG TAG^{}`, or use `git ml stage`"]
        case .otherName: ["make a tag of its own for this name: `git ml stage`"]
        case .noModel(let name, let known), .noStage(let name, let known):
            [
                Spelling.nearest(to: name, in: known).map { "did you mean \($0)?" }
                    ?? "add it to ml.yaml on the protected branch"
            ]
        case .unreachable(_, let branch): ["merge it into \(branch) first"]
        case .historyCutOff: ["bring the rest with `git fetch --unshallow`"]
        case .signature(let failure): failure.hints
        case .noSigners(let file): ["commit \(file) on the protected branch"]
        case .notAllowed(_, _, let allowed): ["ask \(allowed.joined(separator: " or ")) to stage it"]
        case .noStatement: ["make it with `git ml stage`"]
        case .statement, .ended, .previousGone, .counter:
            ["fetch the tags (`git fetch --tags`), then stage it anew: `git ml stage` takes the next counter"]
        case .approvals:
            ["others than who wrote, trained and staged it approve with `git ml approve MODEL COMMIT STAGE`"]
        case .moved: ["make the next one: `git ml stage`, `git ml register`"]
        case .deleted: ["say it with a tag: `git ml unstage`, `git ml deregister`, `git ml deprecate`"]
        case .notOnCommit, .noFile, .likeAnother: []
        }
    }

    /// One word for scripts: it stands in delivery events as `refusal`.
    public var code: String {
        switch self {
        case .light: "light-tag"
        case .notOnCommit: "not-on-commit"
        case .otherName: "tag-name-mismatch"
        case .noModel: "no-model"
        case .noStage: "no-stage"
        case .noFile: "no-file"
        case .unreachable: "unreachable"
        case .historyCutOff: "shallow"
        case .signature(let failure): failure.code
        case .noSigners: "no-signers-file"
        case .notAllowed: "not-allowed"
        case .noStatement: "no-statement"
        case .statement(let key, _, _): "statement-\(key)"
        case .ended: "expired"
        case .previousGone: "previous-gone"
        case .approvals: "approvals"
        case .counter: "counter"
        case .moved: "moved"
        case .deleted: "deleted"
        case .likeAnother: "name-case"
        }
    }
}

/// What policy says of one tag.
public struct PolicyVerdict: Sendable {
    /// Empty: nothing against it.
    public internal(set) var refusals: [PolicyRefusal] = []
    /// What is worth telling and stops nothing.
    public internal(set) var notices: [String] = []
    /// Who signed the tag, where policy asks for that.
    public internal(set) var signer: Signer?
}
