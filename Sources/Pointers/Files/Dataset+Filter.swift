internal import Base
public import GitKit
internal import SystemPackage

extension Dataset {
    static func isPointerPath(_ path: RepositoryPath) -> Bool {
        path.suffix(DatasetPointer.suffix.utf8.count).elementsEqual(DatasetPointer.suffix.utf8)
    }

    /// Whether bytes at a path are a dataset's pointer: git keeps those as they are, even where all of the folder is data.
    static func isPointer(_ bytes: [UInt8], at path: RepositoryPath) -> Bool {
        isPointerPath(path) && DatasetPointer.isPointer(bytes)
    }

    /// Takes the pointer file out of the patterns that cover it, for clients that know pointers to files only.
    public func exceptFromTracking(_ repository: Repository) async throws {
        let path = Array(pointerPath.utf8)
        guard try await repository.attribute("filter", of: [path])[path] == "lfs" else { return }
        try Attributes(workTree: workTree).exceptDatasets()
        try await repository.git.run(["add", "--", workTree.appending(".gitattributes").string])
    }
}
