public import Base
public import GitKit
internal import Storage
internal import SystemPackage

/// Verifies the datasets of a commit or of the index; what their packs hold is verified by their names.
public struct DatasetCheck: Sendable {
    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// What is wrong with pointers and manifests, and which contents are not here.
    public func problems(at commit: ObjectID?) async throws -> [DataCheck.Problem] {
        var problems: [DataCheck.Problem] = []
        for (path, blob) in try await blobs(at: commit) {
            do {
                guard let pointer = try DatasetScan(repository).read(blob, path: path) else { continue }
                let dataset = Dataset(stored: repository, path: path)
                let missing = try dataset.missing(pointer)
                problems += missing.map { problem(.missing, path, $0, "not in this clone") }
                if try dataset.missingForReading(pointer).isEmpty { try dataset.check(pointer) }
            } catch let failure as DatasetFailure {
                problems.append(problem(.malformed, path, nil, failure.description))
            }
        }
        return problems
    }

    /// How large the contents of the datasets must be, as far as their manifests are here.
    public func sizes(at commit: ObjectID?) async throws -> [Digest: Int64] {
        var sizes: [Digest: Int64] = [:]
        for (path, blob) in try await blobs(at: commit) {
            guard let pointer = try? DatasetScan(repository).read(blob, path: path) else { continue }
            sizes[pointer.manifest.digest] = pointer.manifest.size
            for content in (try? Dataset(stored: repository, path: path).contents(pointer)) ?? [] {
                sizes[content.digest] = content.size
            }
        }
        return sizes
    }

    private func problem(
        _ kind: DataCheck.Problem.Kind, _ path: String, _ content: ContentID?, _ detail: String
    ) -> DataCheck.Problem {
        DataCheck.Problem(kind: kind, path: path, content: content, detail: detail)
    }

    private func blobs(at commit: ObjectID?) async throws -> [(path: String, blob: ObjectID)] {
        let list = try await repository.git.bytes(
            commit.map { ["ls-tree", "-r", "-z", "--full-tree", $0.hex] } ?? ["ls-files", "-s", "-z", "--", ":(top)"])
        return ListedEntry.parse(list).filter { $0.isFile && Dataset.isPointerPath($0.path) }.map { ($0.name, $0.id) }
    }
}
