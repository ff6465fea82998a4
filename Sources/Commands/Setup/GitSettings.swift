internal import Base
internal import GitKit

/// The settings in a repository's own `config` that git-ml needs.
struct GitSettings {
    let repository: Repository

    /// What a clone needs besides its fetch options.
    private var wanted: [(key: String, value: String)] {
        [
            ("filter.lfs.process", "\(shellQuoted(Installation.command)) filter-process"),
            ("filter.lfs.required", "true"),
            ("merge.ml-dataset.name", "datasets, path by path"),
            ("merge.ml-dataset.driver", "\(shellQuoted(Installation.command)) merge-dataset %O %A %B %P"),
        ] + NotesSync.kinds.map { ("notes.ml/\($0).mergeStrategy", "cat_sort_uniq") }
    }

    /// Sets what is not set; returns the keys that changed.
    func apply() async throws -> [String] {
        var changed: [String] = []
        for (key, value) in wanted where try await local(key) != [value] {
            try await repository.git("config", "--local", "--replace-all", key, value)
            changed.append(key)
        }
        return try await changed + applyFetchOptions()
    }

    /// Makes every `git fetch` of the remotes that there are bring our refs along; returns the keys that changed.
    ///
    /// A remote that was renamed leaves options behind that name the old one: they go.
    @discardableResult
    func applyFetchOptions() async throws -> [String] {
        var changed: [String] = []
        let present = try await fetchOptions()
        for (key, spec) in present where NotesSync.isFetchSpec(spec) && !isWanted(spec, key: key) {
            try await repository.git("config", "--local", "--fixed-value", "--unset-all", key, spec)
            changed.append(key)
        }
        for remote in try repository.remotes() {
            let key = "remote.\(remote).fetch"
            for spec in NotesSync.fetchSpecs(remote) where !present.contains(where: { $0 == (key, spec) }) {
                try await repository.git("config", "--local", "--add", key, spec)
                changed.append(key)
            }
        }
        return changed
    }

    /// Takes all of it out; returns the keys that were there.
    func remove() async throws -> [String] {
        var removed: [String] = []
        for (key, value) in wanted where try await local(key).contains(value) {
            try await repository.git("config", "--local", "--unset-all", key)
            removed.append(key)
        }
        for (key, spec) in try await fetchOptions() where NotesSync.isFetchSpec(spec) {
            try await repository.git("config", "--local", "--fixed-value", "--unset-all", key, spec)
            removed.append(key)
        }
        return removed
    }

    /// What lacks, by key.
    func missing() async throws -> [String] {
        var missing: [String] = []
        for (key, value) in wanted where try await local(key) != [value] { missing.append(key) }
        let present = try await fetchOptions()
        for remote in try repository.remotes() {
            let key = "remote.\(remote).fetch"
            let hasAll = NotesSync.fetchSpecs(remote).allSatisfy { spec in present.contains { $0 == (key, spec) } }
            if !hasAll { missing.append(key) }
        }
        return missing
    }

    /// Every fetch option of this repository's own settings.
    private func fetchOptions() async throws -> [(key: String, spec: String)] {
        let result = try await repository.git.attempt([
            "config", "--local", "-z", "--get-regexp", #"^remote\..*\.fetch$"#,
        ])
        return result.text.split(separator: "\0").compactMap { entry in
            let parts = entry.split(separator: "\n", maxSplits: 1)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
    }

    private func isWanted(_ spec: String, key: String) -> Bool {
        NotesSync.fetchSpecs(String(key.dropFirst("remote.".count).dropLast(".fetch".count))).contains(spec)
    }

    private func local(_ key: String) async throws -> [String] {
        let result = try await repository.git.attempt(["config", "--local", "--get-all", key])
        return result.text.split(separator: "\n").map(String.init)
    }
}
