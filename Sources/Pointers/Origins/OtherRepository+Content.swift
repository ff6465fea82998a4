internal import Base
internal import GitKit
public import Storage
internal import SystemPackage

extension OtherRepository {
    /// Gets the bytes moved since the last call, and those of all.
    public typealias Progress = @Sendable (_ bytes: Int64, _ total: Int64) -> Void

    /// The places where that repository's content may be, best first.
    ///
    /// Its own store comes first when it is on this machine; then what its `ml.yaml` says at the commit, else the place of its LFS
    /// objects.
    func places() throws -> [any ObjectRemote] {
        var places: [any ObjectRemote] = []
        let settings = try dataSettings()
        if let folder = address.folder {
            let local = try Repository(folder)
            places.append(DirectoryRemote(local.contentStore.root))
            places.append(DirectoryRemote(local.mlDirectory.appending("objects")))
            let remote = try local.lfsRemote(local.lfsSettings())
            if !settings.isAtGitRemote || remote != nil {
                places.append(try settings.objectRemote(of: local, gitRemote: remote))
            }
        } else {
            if let remote = settings.remote, remote.hasPrefix("."), !remote.contains("://") {
                throw OriginFailure.noPlace(
                    address: address.shown, reason: "its ml.yaml says \(remote), which counts from a clone of it")
            }
            places.append(try settings.objectRemote(of: repository, gitRemote: "origin"))
        }
        return places
    }

    /// The `data` section of its `ml.yaml`; the rest of the file is none of our business.
    private func dataSettings() throws -> DataSettings {
        guard let bytes = try repository.file("ml.yaml", in: commit) else { return DataSettings() }
        return try context("cannot read ml.yaml of \(address.shown)") {
            let node = try YAMLNode.parse(String(decoding: bytes, as: UTF8.self), file: "ml.yaml")
            return try node.entries().first { $0.key == "data" }.map { try DataSettings($0.value) } ?? DataSettings()
        }
    }

    /// Which contents can be had.
    public func present(_ pointers: [Pointer]) async throws -> Set<Pointer> {
        let there = try await present(pointers.filter { $0.size > 0 }.map { ContentID($0.digest, size: $0.size) })
        return Set(pointers.filter { $0.size == 0 || there.contains(ContentID($0.digest, size: $0.size)) })
    }

    private func present(_ contents: [ContentID]) async throws -> Set<ContentID> {
        var rest = Set(contents)
        for place in rest.isEmpty ? [] : try places() where !rest.isEmpty {
            rest.subtract(try await place.present(Array(rest), for: .download))
        }
        return Set(contents).subtracting(rest)
    }

    /// Which datasets can be had whole, packs and all; of each the root of its manifest is read.
    public func present(_ datasets: [DatasetPointer]) async throws -> Set<DatasetPointer> {
        let store = KeptObjects(repository).store
        let roots = try await present(datasets.map(\.manifest))
        try await download(roots, into: store) { _ in ["the manifest of a dataset"] }
        let readable = Set(datasets.filter { roots.contains($0.manifest) })
        let needs = try readable.map { ($0, try Dataset.root($0, name: "a dataset", store: store).contents) }
        let there = try await present(needs.flatMap(\.1))
        return Set(needs.filter { there.isSuperset(of: $0.1) }.map(\.0))
    }

    /// Brings the content behind the selection's pointers into a store, from whichever place has it; all or an error that names
    /// what is nowhere.
    public func download(
        _ selection: OriginSelection, into store: ContentStore, progress: @escaping Progress = { _, _ in }
    ) async throws {
        let wanted = Set(
            selection.entries.compactMap(\.pointer).filter { $0.size > 0 && !store.contains($0.digest, size: $0.size) }
                .map { ContentID($0.digest, size: $0.size) })
        try await download(wanted, into: store, progress: progress) { rest in
            selection.entries.filter { entry in rest.contains { $0.digest == entry.pointer?.digest } }.map(
                selection.name)
        }
    }

    /// The same for contents; `names` says what those are called that are nowhere.
    func download(
        _ contents: Set<ContentID>, into store: ContentStore, progress: @escaping Progress = { _, _ in },
        names: (Set<ContentID>) -> [String]
    ) async throws {
        var rest = contents
        if rest.isEmpty { return }
        var asked: [String] = []
        var plan: [(place: any ObjectRemote, contents: [ContentID])] = []
        for place in try places() where !rest.isEmpty {
            asked.append(place.address)
            let present = try await place.present(Array(rest), for: .download)
            plan.append((place, Array(present)))
            rest.subtract(present)
        }
        guard rest.isEmpty else {
            throw OriginFailure.missing(paths: names(rest), places: asked)
        }
        for (place, contents) in plan where !contents.isEmpty {
            try await Transfer(place, store: store, progress: progress).download(contents)
        }
    }
}
