internal import Base
public import GitKit
public import Storage
internal import SystemPackage

extension Repository {
    /// The settings that git-lfs reads in this repository; `.lfsconfig` from the work tree, else from `HEAD`.
    public func lfsSettings() throws -> LFSSettings {
        let own = try lfsGit(["config", "--list", "-z"]).text
        let file = workTree?.appending(".lfsconfig")
        if let file, Files.exists(file) {
            return LFSSettings(git: own, lfsconfig: try lfsGit(["config", "--list", "-z", "--file", file.string]).text)
        }
        // At the checkout of a clone the file may not have been written yet.
        guard let head = try head(), try self.file(".lfsconfig", in: head) != nil else { return LFSSettings(git: own) }
        return LFSSettings(
            git: own, lfsconfig: try lfsGit(["config", "--list", "-z", "--blob", "HEAD:.lfsconfig"]).text)
    }

    /// What a client of the LFS server of a git remote needs; `remote` is its name, or an address.
    ///
    /// `ref` is the remote's branch that is pushed to; nil: the one that belongs to the current branch.
    public func lfsContext(remote: String, ref: String? = nil, settings: LFSSettings? = nil) throws -> LFSContext {
        let settings = try settings ?? lfsSettings()
        let environment = lfsEnvironment
        let directory = workTree ?? gitDirectory
        return LFSContext(
            settings, remote: remote, directory: directory, ref: ref ?? upstream(settings),
            git: { arguments, input in
                try await ChildProcess.run(
                    "git", arguments, in: directory, environment: environment, input: input)
            })
    }

    /// The remote that content is fetched from, by git-lfs's rules: that of the current branch, `remote.lfsdefault`, the only
    /// one, `origin`; nil when there is none.
    public func lfsRemote(_ settings: LFSSettings) throws -> String? {
        if let branch = currentBranch, let remote = settings["branch.\(branch).remote"], remote != "." { return remote }
        if let remote = settings["remote.lfsdefault"] { return remote }
        let remotes = try remotes()
        return remotes.contains("origin") && remotes.count != 1 ? "origin" : remotes.first
    }

    private func upstream(_ settings: LFSSettings) -> String? {
        guard let branch = currentBranch else { return nil }
        return settings["branch.\(branch).merge"] ?? "refs/heads/\(branch)"
    }

    /// The short name of the branch that `HEAD` names; nil when it names a commit.
    private var currentBranch: String? {
        guard let text = try? Files.readText(gitDirectory.appending("HEAD")), text.hasPrefix("ref: refs/heads/") else {
            return nil
        }
        let name = text.dropFirst("ref: refs/heads/".count).prefix { !$0.isNewline }
        return name.isEmpty || name == ".invalid" ? nil : String(name)
    }

    /// Not ``git``: what `git -c` said counts, and a credential helper may ask its user.
    private var lfsEnvironment: [String: String?] {
        var environment: [String: String?] = ["LC_ALL": "C", "GIT_DIR": gitDirectory.string]
        for name in ChildProcess.repositoryVariables
        where !["GIT_DIR", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"].contains(name) {
            environment[name] = .some(nil)
        }
        if let workTree { environment["GIT_WORK_TREE"] = workTree.string }
        return environment
    }

    private func lfsGit(_ arguments: [String]) throws -> ProcessResult {
        guard let git = ChildProcess.find("git") else { throw ProcessFailure.notFound(program: "git") }
        var environment = Daemon.currentEnvironment()
        for (name, value) in lfsEnvironment { environment[name] = value }
        let result = try BlockingProcess.run(git, arguments, environment: environment, in: workTree ?? gitDirectory)
        guard result.status == 0 else {
            throw ProcessFailure.failed(
                command: "git " + arguments.joined(separator: " "), status: result.status, errors: result.errors)
        }
        return result
    }
}
