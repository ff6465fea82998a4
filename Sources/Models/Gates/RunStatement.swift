public import Base
public import GitKit
public import Runs

/// What a signed tag says of a run: its id, and a digest of what is recorded of it.
///
/// A line `git-ml-run: <id> sha256:<64 hex>` in the tag's message, inside the signature. The digest is the SHA-256 of one line
/// of JSON without spaces, keys sorted by their bytes at every level: `commit`, `inputs`, `metrics` (last values), `outputs`,
/// `params`, `run`, `started` and `status`, as `git ml runs --json` prints them. It is taken of what the event lines come to,
/// wherever they stand: names, tags and links may be added to a run later, a metric may not.
public struct RunStatement: Sendable, Equatable {
    public let run: String
    public let digest: Digest

    private static let key = "git-ml-run: "
    private static let keys = ["commit", "inputs", "metrics", "outputs", "params", "run", "started", "status"]

    /// The statement on a run as it is recorded now.
    public init(_ run: Run, in store: RunStore) throws {
        // Not as a model sees it.
        let json = try (store.run(id: run.id) ?? run).json
        self.run = run.id
        digest = Digest.of(JSON.object(Self.keys.map { JSON.Member($0, json[$0] ?? .null) }).canonical)
    }

    private init?(_ line: Substring) {
        guard line.hasPrefix(Self.key) else { return nil }
        let words = line.dropFirst(Self.key.count).split(separator: " ")
        guard words.count == 2, words[1].hasPrefix("sha256:"), let digest = Digest(words[1]) else { return nil }
        (run, self.digest) = (String(words[0]), digest)
    }

    /// The statements in what is signed of a tag.
    static func all(in text: SignedText) -> [RunStatement] {
        String(decoding: text.payload, as: UTF8.self).split(separator: "\n").compactMap { RunStatement($0) }
    }

    /// As it stands in a message.
    public var line: String { "\(Self.key)\(run) \(digest)\n" }

    /// The line for the run behind a model at a commit; nil when there is no such run, or several.
    public static func line(of model: ModelName, path: String?, at commit: ObjectID, in store: RunStore) throws
        -> String?
    {
        guard case .one(let run) = try CandidateRuns(store: store, model: model, path: path).behind(commit) else {
            return nil
        }
        return try RunStatement(run, in: store).line
    }
}
