public import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import SystemPackage

/// Runs the command of a gate in a clean checkout of the candidate.
struct CommandGate: Sendable {
    let checkout: GateCheckout
    let model: ModelName
    let say: @Sendable (String) -> Void

    /// How many lines of a failing command's output are told.
    private static let shownLines = 20

    func run(_ gate: StageSettings.Gate, _ command: StageSettings.Gate.Command, on commit: ObjectID) async throws
        -> GateResult
    {
        say("running \(gate.text.dropFirst("run: ".count))")
        do {
            return try await checkout.with(commit, needs: command.needs) { folder in
                try await judge(gate, command, commit, folder)
            }
        } catch let failure as any Failure where failure.kind != .remote && !(failure is GateInterrupted) {
            return GateResult(.command, gate.text, isPassed: false, "\(failure)")
        }
    }

    private func judge(
        _ gate: StageSettings.Gate, _ command: StageSettings.Gate.Command, _ commit: ObjectID, _ folder: FilePath
    ) async throws -> GateResult {
        let program = try Self.program(command.words.first ?? "", in: folder)
        let report = try command.junit.map { try Self.reportFile($0, in: folder) }
        // One that the commit holds says nothing of this time.
        if let report { Files.remove(report) }
        let home = try Self.home()
        defer { try? Files.removeTree(home) }
        let outcome = try await LimitedProcess(
            program: program, arguments: Array(command.words.dropFirst()),
            environment: Self.environment(home: home).merging([
                "GIT_ML_MODEL": model.description, "GIT_ML_COMMIT": commit.hex,
            ]) { $1 }, directory: folder, time: command.limits.time ?? Self.usualTime, memory: command.limits.memory,
            processes: command.limits.processes ?? LimitedProcess.usualProcesses,
            fileSize: command.limits.fileSize ?? LimitedProcess.usualFileSize,
            confinement: Confinement(checkout.owner, allowsNetwork: command.limits.allowsNetwork),
            writable: [folder, home]
        ).run()
        if outcome.confinement != .bubblewrap {
            say("it ran as \(outcome.confinement == .user ? "another" : "this") user, not in bubblewrap")
        }
        if case .signal(let number) = outcome.stop { throw GateInterrupted(signal: number) }
        var verdict = Self.verdict(outcome, command)
        if let path = command.junit, outcome.stop == nil {
            Self.read(try Self.reportFile(path, in: folder), path, &verdict)
        }
        var result = GateResult(.command, gate.text, isPassed: verdict.isPassed, verdict.detail)
        result.seconds = outcome.seconds
        result.lines = verdict.isPassed ? [] : outcome.log.lastLines(Self.shownLines).map { Secrets.masked(text: $0) }
        result.log = try LocalObjects(mlDirectory: checkout.owner.mlDirectory).keep(
            Secrets.masked(bytes: outcome.log.bytes, values: []))
        return result
    }

    /// How long a command may take whose gate does not say.
    static let usualTime = Duration.seconds(30 * 60)

    /// A fresh home for a command, whose git takes any folder's owner for good: the checkout may be another user's.
    static func home() throws -> FilePath {
        let folder = FilePath(SandboxView.real(environmentValue("TMPDIR") ?? "/tmp"))
        let home = folder.appending("git-ml-gate-\(UUIDv7())")
        try Files.makeDirectory(home.appending("tmp"))
        try Files.replace(home.appending(".gitconfig"), with: "[safe]\n\tdirectory = *\n".utf8)
        return home
    }

    private struct Verdict {
        var isPassed: Bool
        var detail: String
    }

    private static func verdict(_ outcome: LimitedProcess.Outcome, _ command: StageSettings.Gate.Command) -> Verdict {
        switch outcome.stop {
        case .time:
            let time = command.limits.time ?? usualTime
            let limit = Decimal.format(time.inSeconds, digits: time < .seconds(1) ? 3 : 0)
            return Verdict(isPassed: false, detail: "ended after \(limit) s, its limit of time")
        case .memory(let held):
            let limit = ByteCount.format(command.limits.memory ?? 0)
            return Verdict(
                isPassed: false, detail: "ended: its processes held \(ByteCount.format(held)), the limit is \(limit)")
        case .processes(let count):
            return Verdict(isPassed: false, detail: "ended: it had \(count) processes at a time")
        case .signal, nil: break
        }
        let time = "\(Decimal.format(outcome.seconds, digits: 1)) s"
        guard outcome.status > 128 else {
            return Verdict(isPassed: outcome.status == 0, detail: "exit status \(outcome.status) after \(time)")
        }
        return Verdict(isPassed: false, detail: "ended by signal \(outcome.status - 128) after \(time)")
    }

    /// Where the command writes its results; a link would lead out of the checkout.
    private static func reportFile(_ path: String, in folder: FilePath) throws -> FilePath {
        var file = folder
        for part in FilePath(path).components {
            file = file.appending(part)
            if Files.status(file)?.kind == .link { throw GateFile(description: "\(path) lies behind a link") }
        }
        return file
    }

    /// Adds what the command has written about its tests.
    private static func read(_ file: FilePath, _ path: String, _ verdict: inout Verdict) {
        func fail(_ reason: String) { verdict = Verdict(isPassed: false, detail: "\(reason), \(verdict.detail)") }
        guard let status = Files.status(file), status.kind == .file else {
            return fail("\(path) was not written")
        }
        guard status.size <= JUnitReport.largest else {
            return fail("\(path) is larger than \(ByteCount.format(JUnitReport.largest))")
        }
        do throws(JUnitReport.Problem) {
            let report = try JUnitReport((try? Files.read(file)) ?? [])
            verdict.detail = "\(report.summary), \(verdict.detail)"
            verdict.isPassed = verdict.isPassed && report.isPassed
        } catch {
            fail("\(path) cannot be read: \(error)")
        }
    }

    /// A program with a `/` lies in the checkout, any other on the PATH.
    private static func program(_ name: String, in folder: FilePath) throws -> FilePath {
        guard name.contains("/") else {
            guard let program = ChildProcess.find(name) else { throw ProcessFailure.notFound(program: name) }
            return program
        }
        let file = folder.pushing(FilePath(name))
        guard file.withPlatformString({ access($0, X_OK) }) == 0 else {
            let reason = Errno(rawValue: errno).description.lowercasedFirst
            throw GateFile(description: "\(name) cannot be run in the checkout: \(reason)")
        }
        return file
    }

    /// What a command sees of this process's environment.
    ///
    /// That is where programs are found, the language, and devices; no credentials. `HOME` and `TMPDIR` are its own, and go
    /// with it.
    static func environment(home: FilePath) -> [String: String] {
        var environment = ["HOME": home.string, "TMPDIR": home.appending("tmp").string, "LC_ALL": "C.UTF-8"]
        for name in ["PATH", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"] {
            environment[name] = environmentValue(name)
        }
        return environment
    }
}

/// A file that a gate names and that cannot be used.
struct GateFile: Failure {
    let description: String
    var kind: FailureKind { .user }
}

/// Somebody has ended this process while a gate ran.
public struct GateInterrupted: Failure {
    public let signal: Int32
    public var kind: FailureKind { .user }
    public var description: String { "the gate was interrupted by signal \(signal)" }
}
