public import Base

/// Why a dataset could not be stored, read or put in place.
public struct DatasetFailure: Failure, Equatable {
    public let kind: FailureKind
    public let description: String
    public let hints: [String]

    init(_ kind: FailureKind, _ description: String, hints: [String] = []) {
        self.kind = kind
        self.description = description
        self.hints = hints
    }

    static func pointer(_ path: String, line: Int, _ reason: String) -> DatasetFailure {
        DatasetFailure(
            .corrupt, "\(path): the dataset pointer's line \(line) \(reason)",
            hints: ["to restore it, run `git checkout HEAD -- \(shellQuoted(path))`"])
    }

    static func manifest(_ name: String, line: Int, _ reason: String) -> DatasetFailure {
        DatasetFailure(
            .corrupt, "the manifest of \(name): line \(line) \(reason)",
            hints: ["nothing was written; ask who made it to run `git ml add --dataset` again"])
    }

    static func unstorable(_ path: String, _ reason: String) -> DatasetFailure {
        DatasetFailure(.user, "\(path) \(reason)", hints: ["take it out of the folder, then run the command again"])
    }

    static func changing(_ path: String) -> DatasetFailure {
        DatasetFailure(
            .user, "\(path) changes while it is read",
            hints: ["wait for the program that writes it, then run the command again"])
    }

    static func missing(_ name: String, _ digest: Digest) -> DatasetFailure {
        DatasetFailure(
            .notFound, "the content \(digest.short) of \(name) is not here",
            hints: ["`git ml pull` brings it from the data remote"])
    }

    /// A link into ``Unpacked`` that leads nowhere.
    static func noContent(_ path: String, _ dataset: String) -> DatasetFailure {
        DatasetFailure(
            .user, "\(path) is a link to content that is not in this repository's cache",
            hints: [
                "`git ml checkout \(shellQuoted(dataset))` makes the links of the dataset anew",
                "one that you have copied from another repository must be a file: `cp -L` copies it as such",
            ])
    }

    static func damaged(_ name: String, place: String) -> DatasetFailure {
        DatasetFailure(
            .corrupt, "\(name): the content at \(place) does not match its digest",
            hints: ["move that file away; `git ml pull` brings it again from where it is whole"])
    }
}
