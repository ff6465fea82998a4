public import ArgumentParser
internal import Base

/// The program `git-ml`, used as `git ml`.
public struct GitML: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "git-ml",
        abstract: "Experiments, data, models and their delivery, kept in git",
        discussion: """
            Commit as usual: hooks record each experiment. Tag a commit to stage a model: a runner delivers it.

              $ git ml init                 set a repository up
              $ git ml track 'data/*.csv'   keep large files out of git's history
              $ git ml log                  compare experiments
              $ git ml stage churn prod     hand a model over

            Exit statuses: 0 done, 1 you can mend it, 3 not found, 4 a remote failed, 5 content is corrupt,
            64 usage, 70 a defect of git-ml.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(name: "Set up:", subcommands: [Init.self, Clone.self, Doctor.self, Templates.self]),
            CommandGroup(
                name: "Data:",
                subcommands: [
                    Add.self, Status.self, List.self, Track.self, Untrack.self, Fetch.self, Checkout.self, Pull.self,
                    Push.self, Prune.self, Fsck.self, Migrate.self, Lock.self, Unlock.self, LockList.self,
                    Get.self, UpdateImports.self, ImportDVC.self,
                ]),
            CommandGroup(
                name: "Experiments:",
                subcommands: [RunCommand.self, Log.self, RunList.self, Show.self, Diff.self, Sync.self]),
            CommandGroup(
                name: "Inside a run:", subcommands: [MetricCommand.self, ParamCommand.self, ArtifactCommand.self]),
            CommandGroup(
                name: "Runs:",
                subcommands: [
                    Compare.self, Plot.self, Reproduce.self, Rename.self, TagCommand.self, NoteCommand.self,
                    DeleteRun.self,
                    RestoreRun.self, PurgeCommand.self, Import.self, Export.self,
                ]),
            CommandGroup(
                name: "Models:",
                subcommands: [
                    ModelList.self, ModelShow.self, ModelHistory.self, Register.self, Stage.self, Unstage.self,
                    Deprecate.self, Deregister.self, ReviewCommand.self,
                    Approve.self, GateCommand.self,
                ]),
            CommandGroup(
                name: "Delivery:",
                subcommands: [
                    RunnerCommand.self, Deliveries.self, Logs.self, Deliver.self, Cancel.self, Retry.self, Pause.self,
                    Resume.self, Rollback.self, Render.self, Local.self, Trace.self,
                    Drift.self,
                ]),
            CommandGroup(name: "Servers:", subcommands: [UI.self, Serve.self]),
            CommandGroup(name: "Images:", subcommands: [Package.self, ImagesCommand.self, ImageCommand.self]),
            CommandGroup(
                name: "Plumbing:",
                subcommands: [FilterProcessCommand.self, MergeDataset.self, Hook.self, SwitchCommand.self, Manual.self]),
        ])

    public init() {}

    /// Parses the command line, runs the command and exits.
    public static func start() async -> Never {
        signal(SIGPIPE, SIG_IGN)
        do {
            if try await runDirectly() { leave(0) }
            var command = try parsedAlone(Array(CommandLine.arguments.dropFirst())) ?? parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            leave(0)
        } catch let failure as any Failure {
            ErrorReport(failure).print()
            leave(failure.kind.exitStatus)
        } catch {
            exit(withError: error)
        }
    }
}

extension GitML {
    /// The command that the first word names, parsed by itself; nil where the words are not right for it, or ask for help:
    /// then the whole parser finds the words to say so.
    ///
    /// The whole parser looks at all commands by reflection first, which takes some milliseconds.
    private static func parsedAlone(_ words: [String]) -> (any ParsableCommand)? {
        let commands = configuration.groupedSubcommands.lazy.flatMap(\.subcommands)
        guard let name = words.first, let command = commands.first(where: { isCalled($0, name) }),
            command.configuration.subcommands.isEmpty
        else { return nil }
        return try? command.parse(Array(words.dropFirst()))
    }

    /// Whether a command has a name; ArgumentParser's own answer describes the type by reflection, which takes it longer than
    /// anything else here.
    private static func isCalled(_ command: any ParsableCommand.Type, _ name: String) -> Bool {
        command.configuration.commandName.map { $0 == name }
            ?? (_typeName(command, qualified: false).lowercased() == name)
    }

    /// Runs what git starts with every commit, checkout and push to a server, and `--version`, without the parser: looking at
    /// all commands by reflection takes it some 2.5 ms of 9 (`make bench`).
    private static func runDirectly() async throws -> Bool {
        switch Array(CommandLine.arguments.dropFirst()) {
        case ["--version"]: print(configuration.version)
        case ["hook", "pre-commit"]: try Hook.PreCommit().run()
        case ["hook", "post-commit"]: await Hook.PostCommit().run()
        case let words where words.starts(with: ["hook", "post-checkout"]) && words.count == 5:
            await Hook.follow(from: words[2], to: words[3], flag: words[4])
        case let words where words.starts(with: ["hook", "post-merge"]) && words.count == 3:
            await Hook.followMerge(isSquash: words[2] == "1")
        case ["hook", "pre-receive"]: try await Hook.PreReceive().run()
        case ["hook", "post-receive"]: Hook.PostReceive().run()
        case ["filter-process"]: try await FilterProcessCommand().run()
        default: return false
        }
        return true
    }
}

/// `exit(3)`; named apart because ArgumentParser's `exit(withError:)` hides it.
private func leave(_ status: Int32) -> Never { exit(status) }
