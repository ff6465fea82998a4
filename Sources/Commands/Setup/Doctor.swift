internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the whole set-up and say how to mend each point",
        discussion: """
            Exits with 1 when something needs mending.

              $ git ml doctor
            """)

    func run() async throws {
        var findings = 0
        func report(_ isGood: Bool, _ what: String, _ remedy: String = "") {
            print((isGood ? Terminal.green("ok   ") : "MEND ") + what)
            if !isGood {
                findings += 1
                print("     → \(remedy)")
            }
        }
        let repository = try Repository.current()
        let version = try await repository.git("--version").trimmingTrailingSpace
        let numbers = version.split { !$0.isNumber }.compactMap { Int($0) }
        report(numbers.lexicographicallyPrecedes([2, 34]) == false, version, "install git 2.34 or newer")

        var project = Project()
        do {
            project = try Project.inWorkTree(of: repository)
            report(true, "ml.yaml can be read")
        } catch let failure as any Failure {
            report(false, "\(failure)", failure.hints.first ?? "mend that line")
        }
        if repository.workTree != nil {
            let installer = try await HookInstaller(repository)
            let passedOver = try installer.passedOver(HookInstaller.clientHooks)
            if !passedOver.isEmpty {
                report(
                    false, "core.hooksPath is \(installer.directory): git runs nothing of .git/hooks any more",
                    "run `git ml init` again: it keeps the hooks that are there and runs them first")
            }
            for hook in HookInstaller.clientHooks {
                report(try installer.isInstalled(hook), "hook \(hook) in \(installer.directory)", "run `git ml init`")
            }
            let missing = try await GitSettings(repository: repository).missing()
            report(
                missing.isEmpty, "options of filter, notes and fetch",
                "missing: \(missing.joined(separator: ", ")); run `git ml init`")
            await checkData(repository, project, report)
            if let workTree = repository.workTree, !project.data.isAtGitRemote {
                report(
                    Files.exists(workTree.appending(LFSConfig.name)), "\(LFSConfig.name) for clones with git-lfs",
                    "run `git ml init` and commit the file")
            }
        } else {
            let installer = try await HookInstaller(repository)
            for hook in HookInstaller.serverHooks {
                report(
                    try installer.isInstalled(hook), "hook \(hook) in \(installer.directory)",
                    "run `git ml init --bare --runner`")
            }
            if let head = try repository.head(), let policy = try Project.at(head, in: repository) { project = policy }
        }
        for (stage, settings) in project.stages.sorted(by: { $0.key < $1.key }) {
            if !settings.unsupported.isEmpty {
                report(
                    false, "stage \(stage)",
                    "this version cannot check: \(settings.unsupported.joined(separator: ", "))")
            }
            if settings.deploy?.kind == "local" {
                report(ChildProcess.find("python3") != nil, "stage \(stage) needs python3", "install Python 3")
                report(ChildProcess.find("tar") != nil, "stage \(stage) needs tar", "install tar")
            }
            if settings.deploy?.kind == "command", let program = settings.deploy?.command.first {
                report(
                    program.contains("/") || ChildProcess.find(program) != nil, "stage \(stage) needs \(program)",
                    "install \(program), or put it on the PATH of the runner")
            }
        }
        try TagCheck(repository, project).report(report)
        for wrong in try RecordCheck(repository).contradictions() {
            report(
                false, "run \(wrong.run): \(wrong.reason)",
                "somebody has written notes by hand: `git log refs/notes/ml/runs` says who; `git ml purge` takes a run out"
            )
        }
        if findings > 0 { throw ExitCode(1) }
    }

    private func checkData(_ repository: Repository, _ project: Project, _ report: (Bool, String, String) -> Void) async
    {
        guard let remotes = try? repository.remotes(), !remotes.isEmpty else {
            return report(true, "no remote yet: data stays here", "")
        }
        do {
            let remote = try DataRemote(repository, project: project).resolve()
            try await remote.check()
            report(true, "data remote \(remote.address)", "")
        } catch {
            report(false, "data remote: \(error)", (error as? any Failure)?.hints.first ?? "see data.remote in ml.yaml")
        }
    }
}
