internal import Base
public import GitKit
internal import Storage
internal import SystemPackage

/// Takes over what DVC tracks: content into the store, pointers into the index, `.gitattributes` and `.gitignore` as they must be.
///
/// Nothing but the store is written before all content is there.
public struct DVCImport: Sendable {
    public struct Options: Sendable {
        /// A remote by its name in DVC's settings; nil: the default one.
        public var remote: String?
        /// Remove the `.dvc` files of what was taken over.
        public var removes = false
        /// Leave folders untracked in the work tree: the caller makes each a dataset.
        public var makesDatasets = false
        /// Only tell what would be done.
        public var isDry = false

        public init() {}
    }

    /// A file or folder that was taken over.
    public struct Taken: Sendable {
        public let path: String
        /// The file in which DVC says that it tracks it.
        public let file: String
        public let isFolder: Bool
        public internal(set) var files = 0
        /// In bytes.
        public internal(set) var size: Int64 = 0
        /// How many files came from the work tree, DVC's cache and its remote.
        public internal(set) var fromWorkTree = 0
        public internal(set) var fromCache = 0
        public internal(set) var fromRemote = 0
    }

    public struct Outcome: Sendable {
        public internal(set) var taken: [Taken] = []
        public internal(set) var skipped: [(path: String, reason: String)] = []
        /// Files of the work tree that are not what DVC has last seen; they were left as they are.
        public internal(set) var changed: [String] = []
        public internal(set) var removed: [String] = []
    }

    private let repository: Repository
    private let index: PointerIndex
    private let progress: OtherRepository.Progress

    public init(_ repository: Repository, progress: @escaping OtherRepository.Progress = { _, _ in }) {
        self.repository = repository
        self.progress = progress
        index = PointerIndex(repository)
    }

    /// Takes over the outputs that the paths mean, or all.
    public func run(_ paths: [String], _ options: Options = Options()) async throws -> Outcome {
        if !options.isDry { try index.requireFilter() }
        let project = try await DVCProject(repository)
        var outcome = Outcome()
        outcome.skipped = paths.isEmpty ? project.reader.skipped : []
        let outputs = try await usable(project.outputs(paths), project, &outcome)
        if options.makesDatasets {
            for output in outputs where output.isFolder {
                try await Dataset(repository, path: output.path).checkUntracked(repository)
            }
        }
        let sources = try DVCSources(repository, project, outputs, remote: options.remote)
        let items = try await items(outputs, sources)
        var found = try await sources.take(
            items, outputs, onlyLooks: options.isDry, leaves: options.makesDatasets, progress: progress)
        let absent = items.indices.filter { found[$0] == nil }
        let fetched: [ContentID?]
        do {
            fetched = try await sources.download(
                absent.map { items[$0] }, outputs, onlyLooks: options.isDry, progress: progress)
        } catch let failure as any Failure {
            let names = absent.prefix(20).map { items[$0].path }.joined(separator: ", ")
            throw Context(
                "cannot bring the content of \(absent.count) file(s) that is not here: \(names)"
                    + (absent.count > 20 ? ", …" : ""), cause: failure)
        }
        for (i, content) in zip(absent, fetched) { found[i] = content.map { .init(content: $0, from: .remote) } }
        let lost = items.indices.filter { found[$0] == nil }
        guard lost.isEmpty else {
            throw DVCFailure.missing(
                paths: lost.map { items[$0].path }, places: sources.places(lost.map { outputs[items[$0].output] }))
        }
        outcome.taken = outputs.map { Taken(path: $0.path, file: $0.file, isFolder: $0.isFolder) }
        let takeOver = items.indices.compactMap { i in
            found[i].map { (item: items[i], content: $0.content, from: $0.from, stat: $0.stat) }
        }
        for (item, content, from, _) in takeOver { outcome.taken[item.output].count(content, from) }
        if options.isDry { return outcome }
        try await DVCTakeOver(repository, project).run(takeOver, outputs, options, &outcome)
        return outcome
    }

    /// Leaves out what git stores itself, and what lies behind a link.
    private func usable(_ outputs: [DVCOutput], _ project: DVCProject, _ outcome: inout Outcome) async throws
        -> [DVCOutput]
    {
        var usable: [DVCOutput] = []
        for output in outputs {
            if try await !index.read(output.path).others.isEmpty {
                outcome.skipped.append((output.path, "git stores it itself"))
            } else if isBehindLink(output.path, project) {
                outcome.skipped.append((output.path, "a folder that leads to it is a link"))
            } else {
                usable.append(output)
            }
        }
        return usable
    }

    private func isBehindLink(_ path: String, _ project: DVCProject) -> Bool {
        var folder = project.workTree
        for part in FilePath(path).components.dropLast() {
            folder = folder.appending(part)
            guard let kind = Files.status(folder)?.kind else { return false }
            if kind != .directory { return true }
        }
        return false
    }

    private func items(_ outputs: [DVCOutput], _ sources: DVCSources) async throws -> [DVCSources.Item] {
        var items: [DVCSources.Item] = []
        var lost: [DVCOutput] = []
        for (i, output) in outputs.enumerated() {
            guard output.isFolder else {
                items.append(.init(path: output.path, hash: output.hash, isExecutable: output.isExecutable, output: i))
                continue
            }
            guard let files = try await sources.list(output) else {
                lost.append(output)
                continue
            }
            for file in files {
                items.append(
                    .init(
                        path: "\(output.path)/\(file.path)", hash: file.hash, isExecutable: file.isExecutable, output: i
                    ))
            }
        }
        guard lost.isEmpty else {
            throw DVCFailure.missing(paths: lost.map { "the list of \($0.path)" }, places: sources.places(lost))
        }
        return items
    }
}

extension DVCImport.Taken {
    fileprivate mutating func count(_ content: ContentID, _ from: DVCSources.Place) {
        files += 1
        size += content.size
        switch from {
        case .workTree: fromWorkTree += 1
        case .cache: fromCache += 1
        case .remote: fromRemote += 1
        }
    }
}
