internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models

/// The message of a stage tag with its statement (`formats.md`, "Models and stages"), which a signature covers.
struct StageMessage {
    let title: String
    let tag: ModelTag
    let commit: ObjectID
    let models: ModelProject
    var digest: Digest?
    var expires: Timestamp?
    /// The digest of the content that is rolled back: no automation deploys it again.
    var hold: Digest?

    /// The title, an empty line, and the statement: one `key: value` a line, without those that have no value.
    var text: String {
        let entry = models.registry.models[tag.model]
        let stage: String? =
            switch tag.action {
            case .assign(let stage), .unassign(let stage): stage
            default: nil
            }
        let statement: [(String, String?)] = [
            ("git-ml-stage", "1"), ("repo", models.project.repositoryID), ("model", "\(tag.model)"),
            ("version", entry?.version(at: commit).map { "\($0.version)" }), ("stage", stage),
            ("counter", tag.counter.map { "\($0)" }), ("commit", commit.hex), ("model-digest", digest?.description),
            ("previous", stage.flatMap { entry?.newest[$0]?.id.hex }), ("expires", expires?.wholeSeconds),
            ("hold", hold?.description),
        ]
        let lines = statement.compactMap { key, value in value.map { "\(key): \($0)\n" } }
        return title + "\n\n" + lines.joined()
    }
}

/// A moment in the future: a date, a time in UTC, or so long from now.
struct ExpiryOption: ExpressibleByArgument {
    let time: Timestamp

    init?(argument: String) {
        if let duration = Duration(text: argument) {
            time = Timestamp.now().advanced(bySeconds: duration.inSeconds)
        } else if let time = Timestamp(argument) ?? Timestamp(argument + "T00:00:00Z") {
            self.time = time
        } else {
            return nil
        }
    }
}
