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

    /// Makes every `git fetch` of the remotes that there are bring our notes along; returns the keys that changed.
    @discardableResult
    func applyFetchOptions() async throws -> [String] {
        var changed: [String] = []
        for remote in try repository.remotes() {
            let key = "remote.\(remote).fetch"
            let present = try await local(key)
            for spec in NotesSync.fetchSpecs(remote) where !present.contains(spec) {
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
        for remote in try repository.remotes() {
            let key = "remote.\(remote).fetch"
            for spec in NotesSync.fetchSpecs(remote) where try await local(key).contains(spec) {
                try await repository.git("config", "--local", "--fixed-value", "--unset-all", key, spec)
                removed.append(key)
            }
        }
        return removed
    }

    /// What lacks, by key.
    func missing() async throws -> [String] {
        var missing: [String] = []
        for (key, value) in wanted where try await local(key) != [value] { missing.append(key) }
        for remote in try repository.remotes() {
            let present = try await local("remote.\(remote).fetch")
            if !NotesSync.fetchSpecs(remote).allSatisfy({ present.contains($0) }) {
                missing.append("remote.\(remote).fetch")
            }
        }
        return missing
    }

    private func local(_ key: String) async throws -> [String] {
        let result = try await repository.git.attempt(["config", "--local", "--get-all", key])
        return result.text.split(separator: "\n").map(String.init)
    }
}
