internal import Base
internal import GitKit
internal import SystemPackage

/// Hooks that the user or the machine has set for all repositories by `core.hooksPath`.
///
/// Nothing is put into that folder: other repositories use it too. This repository gets a folder of its own,
/// `<common>/ml/hooks`, with a script for each hook there that calls it; ours stand in front of them.
struct SharedHooks {
    /// The folder for all repositories.
    let folder: FilePath
    /// The one of this repository.
    let own: FilePath
    private let repository: Repository

    /// Nil where git looks for hooks in a place of this repository.
    init?(_ repository: Repository) async throws {
        self.repository = repository
        own = repository.commonDirectory.appending("ml").appending("hooks")
        let result = try await repository.git.attempt([
            "config", "--show-scope", "--type=path", "--get", "core.hooksPath",
        ])
        let words = result.text.trimmingTrailingSpace.split(separator: "\t", maxSplits: 1).map(String.init)
        guard result.status == 0, words.count == 2 else { return nil }
        if ["global", "system"].contains(words[0]) {
            folder = FilePath(words[1])
        } else if FilePath(words[1]) == own {
            folder = try await Self.shared(repository) ?? own
        } else {
            return nil
        }
    }

    private static func shared(_ repository: Repository) async throws -> FilePath? {
        for scope in ["--global", "--system"] {
            let result = try await repository.git.attempt(["config", scope, "--type=path", "--get", "core.hooksPath"])
            if result.status == 0 { return FilePath(result.text.trimmingTrailingSpace) }
        }
        return nil
    }

    /// Makes git look into the own folder, and that folder call all hooks of the shared one; `ours` get a place in front.
    ///
    /// Returns whether anything changed.
    func set(ours: [String]) async throws -> Bool {
        var hasChanged = false
        for name in try Files.list(folder) where folder != own && !name.contains(".") {
            let hook = folder.appending(name)
            guard hook.withPlatformString({ access($0, X_OK) }) == 0 else { continue }
            let text = "#!/bin/sh\nexec \(shellQuoted(hook.string)) \"$@\"\n"
            let place = own.appending(ours.contains(name) ? name + ".before-git-ml" : name)
            if try Files.readText(place) == text { continue }
            try Files.replace(place, with: text.utf8, mode: 0o755)
            hasChanged = true
        }
        if try repository.setting("core.hooksPath") != own.string {
            try await repository.git("config", "--local", "core.hooksPath", own.string)
            hasChanged = true
        }
        return hasChanged
    }

    /// Leaves the hooks to the shared folder again.
    func remove() async throws {
        if try repository.setting("core.hooksPath") == own.string {
            try await repository.git("config", "--local", "--unset-all", "core.hooksPath")
        }
        try Files.removeTree(own)
    }
}
