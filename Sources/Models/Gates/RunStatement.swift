public import Base
public import GitKit
public import Runs

/// What a signed tag says of a run: its id, and a digest of all that is recorded of it.
///
/// A line `git-ml-run: <id> sha256:<64 hex>` in the tag's message, inside the signature. The digest is the SHA-256 of the
/// run's event lines of the kinds `start`, `params`, `metrics`, `inputs`, `outputs`, `series` and `end`, sorted by their
/// bytes, each with a line feed. Tags, links and deletions may be added to a run later without a change of it; a metric may
/// not.
public struct RunStatement: Sendable, Equatable {
    public let run: String
    public let digest: Digest

    private static let key = "git-ml-run: "
    private static let kinds: Set<String> = ["start", "params", "metrics", "inputs", "outputs", "series", "end"]

    /// The statement on a run as it is recorded now; nil for one that is not in the notes yet.
    public init?(_ run: Run, in store: RunStore) throws {
        let lines = try store.log.lines(on: run.commit).filter { line in
            guard line.contains(run.id), let json = try? JSON.parse(line), json["run"]?.string == run.id else {
                return false
            }
            return json["ev"]?.string.map { Self.kinds.contains($0) } ?? false
        }
        if lines.isEmpty { return nil }
        let sorted = Set(lines).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self.run = run.id
        digest = Digest.of(sorted.map { $0 + "\n" }.joined())
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
        return try RunStatement(run, in: store)?.line
    }
}
