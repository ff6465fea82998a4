internal import Base
internal import GitKit
internal import Pointers
internal import SystemPackage

/// The files of a work tree that a run may write: models, plots, metrics, everything tracked as data.
///
/// Looked at before and after, their times, sizes and inodes tell which of them the run has made.
struct WorkFiles {
    private let repository: Repository
    private let workTree: FilePath
    private let modelPaths: [String]
    private let plots: [PathPattern]
    private let tracked: [PathPattern]
    private let others: [String]

    /// `others` are single files to watch, from the top of the work tree.
    init(_ repository: Repository, settings: RecordSettings, modelPaths: [String], others: [String]) throws {
        self.repository = repository
        workTree = try repository.requireWorkTree()
        self.modelPaths = modelPaths
        self.others = others
        plots = settings.plots.map { PathPattern($0) }
        tracked = try Attributes(workTree: workTree).tracked().map { PathPattern($0) }
    }

    /// The state of every file that is watched, by path.
    func state() throws -> [String: FileStatus] {
        var state: [String: FileStatus] = [:]
        for path in others + modelPaths { try look(at: path, &state) { _ in true } }
        for pattern in plots + tracked {
            let folder = pattern.fixedPrefix
            try look(at: folder, &state) { pattern.matches($0) }
        }
        return state
    }

    /// The paths that are new or differ from `before`, sorted.
    func changed(since before: [String: FileStatus]) throws -> [String] {
        try state().filter { before[$0.key] != $0.value }.map(\.key).sorted()
    }

    /// What a path is to a run; nil for a file that is none of its outputs (metrics, params).
    func role(of path: String) -> RunItem.Role? {
        if modelPaths.contains(where: { path == $0 || path.hasPrefix($0 + "/") }) { return .model }
        if plots.contains(where: { $0.matches(path) }) { return .plot }
        return isTracked(path) ? .data : nil
    }

    /// Whether git stores a pointer in place of a file.
    func isTracked(_ path: String) -> Bool { tracked.contains { $0.matches(path) } }

    private func look(at path: String, _ state: inout [String: FileStatus], _ isWanted: (String) -> Bool) throws {
        let file = path.isEmpty ? workTree : workTree.appending(FilePath(path).components)
        guard let status = Files.status(file) else { return }
        switch status.kind {
        case .file: if isWanted(path) { state[path] = status }
        case .directory:
            for name in try Files.list(file) where ![".git", "node_modules", "__pycache__", ".venv"].contains(name) {
                try look(at: path.isEmpty ? name : "\(path)/\(name)", &state, isWanted)
            }
        default: break
        }
    }
}
