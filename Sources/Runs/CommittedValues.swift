public import GitKit

/// The metrics and parameters that the files of a commit hold, as a commit's own run records them.
public struct CommittedValues: Sendable {
    public let metrics: [String: Double]
    public let params: [String: String]

    /// Reads them; a file that cannot be read holds nothing.
    public init(at commit: ObjectID, in repository: Repository, settings: RecordSettings) throws {
        metrics = try CommitContent.metrics(settings, in: commit, of: repository) { _ in }
        let values = try ValueFile.read(settings.params, in: commit, of: repository) { _ in }
        params = Secrets.masked(ValueFile.params(values))
    }
}
