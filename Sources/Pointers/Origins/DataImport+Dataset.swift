internal import Base
internal import GitKit
internal import Storage
internal import SystemPackage

/// Datasets of other repositories: one pointer file here too.
extension DataImport {
    /// Brings a dataset: all its content, the folder, the pointer beside it, the record.
    func bring(
        _ pointer: DatasetPointer, _ selection: OriginSelection, of other: OtherRepository, _ asked: ImportOrigin,
        known: ImportOrigin?, force: Bool
    ) async throws -> Outcome {
        let dataset = try Dataset(repository, path: Self.name(asked.path))
        let progress = progress
        let fetch: ContentFetch = { contents in
            try await other.download(Set(contents), into: dataset.store, progress: progress) { _ in [selection.path] }
        }
        let old = try dataset.pointer()
        if !force { try await checkUnchanged(dataset, old, known) }
        try await dataset.prepare(pointer, fetch: fetch)
        // All of it, because a push from here has to send it.
        try await fetch(dataset.contents(pointer).filter { !dataset.store.contains($0.digest, size: $0.size) })
        var origin = asked
        origin.path = dataset.pointerPath
        origin.source = selection.path
        origin.commit = other.commit.hex
        origin.digest = pointer.manifest.digest
        var outcome = Outcome(origin: origin, before: known?.commit)
        outcome.isDataset = true
        let changes = try DatasetChanges.between(old, pointer, name: dataset.path, store: dataset.store)
        (outcome.added, outcome.changed, outcome.removed) = (
            changes.added.count, changes.changed.count, changes.removed.count
        )
        outcome.files = Int(pointer.files)
        outcome.size = pointer.size
        if old != pointer { try Files.replace(dataset.pointerFile, with: pointer.text.utf8) }
        _ = try await dataset.checkOut(force: force, link: link, fetch: fetch)
        try await dataset.register(repository)
        try await keep(origin)
        return outcome
    }

    private func checkUnchanged(_ dataset: Dataset, _ old: DatasetPointer?, _ known: ImportOrigin?) async throws {
        guard let known, let old else {
            guard !Files.exists(dataset.place), old == nil else { throw OriginFailure.exists(dataset.path) }
            return
        }
        guard old.manifest.digest == known.digest else {
            throw OriginFailure.isChanged(path: dataset.path, file: dataset.pointerPath)
        }
        let changes = try dataset.status()
        if let first = (changes.added + changes.changed + changes.removed).first {
            throw OriginFailure.isChanged(path: dataset.path, file: dataset.path + "/" + first)
        }
    }
}
