internal import Base
internal import GitKit
internal import SystemPackage

/// Installs the shims of `hooks/` beside hooks that are there already.
///
/// A hook of somebody else is kept under `NAME.before-git-ml` (a link as the link that it is) and runs first, with
/// the same arguments and input; when it refuses, ours does not run. Removing puts it back.
struct HookInstaller {
    static let clientHooks = ["post-commit", "post-rewrite", "pre-push"]
    static let serverHooks = ["post-receive"]
    static let guardHooks = ["update"]
    private static let mark = "git-ml hook"

    let directory: FilePath
    let source: FilePath

    init(_ repository: Repository) async throws {
        let path = try await repository.git("rev-parse", "--git-path", "hooks").trimmingTrailingSpace
        let base = repository.workTree ?? repository.gitDirectory
        directory = path.hasPrefix("/") ? FilePath(path) : base.appending(FilePath(path).components)
        source = try Installation.share().appending("hooks")
    }

    /// Whether our shim is what git runs for that hook.
    func isInstalled(_ name: String) throws -> Bool {
        guard Files.status(directory.appending(name))?.kind == .file else { return false }
        return try Files.readText(directory.appending(name))?.contains(Self.mark) ?? false
    }

    /// Installs hooks and returns the names of those that were not there as they should be.
    func install(_ names: [String]) throws -> [String] {
        try names.filter { name in
            guard let text = try Files.readText(source.appending(name)) else {
                throw InstallationFailure(program: Installation.program.string)
            }
            let shim = text.replacing("@GIT_ML@", with: shellQuoted(Installation.command))
            let hook = directory.appending(name)
            if try isInstalled(name) {
                if try Files.readText(hook) == shim { return false }
            } else if Files.exists(hook) {
                try Files.rename(hook, to: directory.appending(name + ".before-git-ml"))
            }
            try Files.replace(hook, with: shim.utf8, mode: 0o755)
            return true
        }
    }

    /// Takes hooks out again and puts back what was there before.
    func remove(_ names: [String]) throws -> [String] {
        try names.filter { name in
            guard try isInstalled(name) else { return false }
            let hook = directory.appending(name)
            let before = directory.appending(name + ".before-git-ml")
            if Files.exists(before) { try Files.rename(before, to: hook) } else { Files.remove(hook) }
            return true
        }
    }
}
