internal import Base
internal import GitKit
internal import SystemPackage

/// What a command in bubblewrap sees of the machine.
///
/// Everything can be read that its user may read, except for what is hidden below: empty folders stand there, with what the
/// command needs put back in at the same paths.
struct SandboxView {
    private var hidden: Set<String> = []
    private var readable: Set<String> = []
    private let writable: [String]

    /// `programs` and what stands on `path` stay visible; `forOthers`: the command is another user than this process, so
    /// folders that only this one may enter are hidden too.
    init(owner: Repository, writable: [FilePath], programs: [FilePath], path: String, forOthers: Bool) {
        self.writable = writable.map { Self.real($0.string) }
        let own = [owner.commonDirectory, owner.workTree].compactMap(\.self).map(\.string)
        let folders =
            ["/home", "/root", "/run", "/tmp", "/var/tmp"] + ["HOME", "TMPDIR"].compactMap { environmentValue($0) }
            + own
        for folder in folders.map(Self.real)
        where folder != "/" && Files.status(FilePath(folder))?.kind == .directory {
            hidden.insert(folder)
        }
        let common = FilePath(Self.real(owner.commonDirectory.string))
        // Not the settings, in which passwords may stand, nor our own folder.
        for name in ["HEAD", "objects", "refs", "packed-refs", "worktrees", "shallow"] {
            show(common.appending(name).string)
        }
        for file in programs { showInstallation(file.string) }
        for folder in path.split(separator: ":") where folder.hasPrefix("/") {
            showFolder(String(folder))
            showInstallation(folder + "/python3")
        }
        if forOthers {
            for shown in readable.union(self.writable) { hideClosedParent(of: shown) }
        }
    }

    /// The words behind `bwrap`.
    func arguments(directory: FilePath, allowsNetwork: Bool, isRoot: Bool) throws -> [String] {
        var words = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent"]
        if !allowsNetwork { words.append("--unshare-net") }
        if isRoot {
            // To become the other user; it has none of them.
            for name in ["SETUID", "SETGID", "SETPCAP"] { words += ["--cap-add", "CAP_\(name)"] }
        } else {
            words.append("--unshare-user")
        }
        words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        for name in (try? Files.list("/dev"))?.sorted() ?? []
        where name.hasPrefix("nvidia") || ["dri", "kfd"].contains(name) {
            words += ["--dev-bind-try", "/dev/\(name)", "/dev/\(name)"]
        }
        let empty = hidden.map { ($0, ($0.hasSuffix("tmp") ? ["--perms", "1777"] : []) + ["--tmpfs", $0]) }
        let shown =
            readable.filter(isHidden).map { ($0, ["--ro-bind", $0, $0]) } + writable.map { ($0, ["--bind", $0, $0]) }
        var made: Set<String> = []
        for (path, mount) in (empty + shown).sorted(by: { Self.isShallower($0.0, $1.0) }) {
            // Made by the mount itself it could be entered by its owner only.
            for parent in Self.parents(of: path) where isHidden(parent) && made.insert(parent).inserted {
                words += ["--dir", parent]
            }
            made.insert(path)
            words += mount
        }
        return words + ["--chdir", Self.real(directory.string), "--"]
    }

    // MARK: -

    private mutating func show(_ path: String) {
        if Files.exists(FilePath(path)), !hidden.contains(path) { readable.insert(path) }
    }

    /// A folder of programs, with the libraries that belong to it.
    private mutating func showFolder(_ folder: String) {
        for place in Set([folder, Self.real(folder)]) {
            guard isHidden(place) else { continue }
            show(place)
            guard let name = FilePath(place).lastComponent?.string, name == "bin" else { continue }
            let root = FilePath(place).removingLastComponent()
            for name in ["lib", "lib64", "libexec", "include", "share", "pyvenv.cfg"] {
                show(root.appending(name).string)
            }
        }
    }

    /// A program, and where the program that it is a link to lies.
    private mutating func showInstallation(_ program: String) {
        guard Files.exists(FilePath(program)), !isWritable(program) else { return }
        for file in Set([program, Self.real(program)]) where isHidden(file) {
            showFolder(FilePath(file).removingLastComponent().string)
        }
    }

    private mutating func hideClosedParent(of path: String) {
        for parent in Self.parents(of: path) {
            if isHidden(parent) { return }
            var status = stat()
            if stat(parent, &status) == 0, status.st_mode & 0o001 == 0 {
                hidden.insert(parent)
                return
            }
        }
    }

    private func isHidden(_ path: String) -> Bool {
        hidden.contains(path) || Self.parents(of: path).contains { hidden.contains($0) }
    }

    private func isWritable(_ path: String) -> Bool { writable.contains { path == $0 || path.hasPrefix($0 + "/") } }

    /// `/a`, `/a/b` of `/a/b/c`.
    private static func parents(of path: String) -> [String] {
        var parents: [String] = []
        var parent = FilePath(path)
        while parent.removeLastComponent(), parent.string != "/", !parent.isEmpty { parents.append(parent.string) }
        return parents.reversed()
    }

    private static func isShallower(_ a: String, _ b: String) -> Bool {
        let depths = (parents(of: a).count, parents(of: b).count)
        return depths.0 == depths.1 ? a < b : depths.0 < depths.1
    }

    /// The path without links; as it is where there is nothing.
    static func real(_ path: String) -> String {
        guard let found = realpath(path, nil) else { return path }
        defer { free(found) }
        return String(cString: found)
    }
}
