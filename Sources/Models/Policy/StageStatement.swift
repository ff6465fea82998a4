public import Base
public import GitKit

/// What a tag made by `git ml stage` states in its message, inside the signature.
///
/// Lines `key: value` from the last line `git-ml-stage: 1` to the next blank line. Only what is signed is read, so that nothing
/// can be added behind a signature.
public struct StageStatement: Sendable, Equatable {
    public let repositoryID: String?
    public let model: String?
    public let version: String?
    public let stage: String?
    public let counter: String?
    public let commit: String?
    public let modelDigest: String?
    /// The object id of the tag before, of the same model and stage.
    public let previous: String?
    public let expires: String?

    /// Reads a tag's message; nil when it has no statement, or one of another kind.
    public init?(_ text: SignedText) {
        let lines = String(decoding: text.payload, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.lastIndex(where: { $0.hasPrefix("git-ml-stage:") }), lines[start] == "git-ml-stage: 1"
        else { return nil }
        var fields: [Substring: String] = [:]
        for line in lines[(start + 1)...] {
            guard let colon = line.firstIndex(of: ":") else { break }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            // A key that stands twice says nothing that could be relied on.
            fields[line[..<colon]] = fields[line[..<colon]] == nil ? String(value) : "\(value) (and something else)"
        }
        repositoryID = fields["repo"]
        model = fields["model"]
        version = fields["version"]
        stage = fields["stage"]
        counter = fields["counter"]
        commit = fields["commit"]
        modelDigest = fields["model-digest"]
        previous = fields["previous"]
        expires = fields["expires"]
    }

    /// When the statement ends to hold: a time in UTC, or the end of a day; nil when it never does.
    public var end: Timestamp? {
        guard let expires else { return nil }
        // What cannot be read has ended.
        return Timestamp(expires) ?? Timestamp(expires + "T23:59:59Z") ?? Timestamp(seconds: 0)
    }
}
