internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs
internal import SystemPackage

// What a script calls while `git ml run` runs it: each adds to the run that GIT_ML_RUN names.

struct MetricCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metric",
        abstract: "Record metrics of the run that is going on",
        discussion: """
            For the inside of `git ml run`. Without --step: the step after the last.
            From a script, appending a line to $GIT_ML_RUN/metrics.jsonl is the same, and faster.

              $ git ml metric loss=0.3 auc=0.91 --step 1
            """)

    @Argument(help: "NAME=NUMBER, several at once.")
    var metrics: [String]

    @Option(help: "The step they belong to.")
    var step: Int64?

    func run() throws {
        var members = step.map { [JSON.Member("step", .int($0))] } ?? []
        members.append(JSON.Member("time", .string(Timestamp.now().description)))
        for text in metrics {
            guard let pair = KeyValue(text), let value = Double(pair.value) else {
                throw ValidationError("“\(text)” is not NAME=NUMBER")
            }
            members.append(JSON.Member(pair.key, .number(value)))
        }
        let inside = try InsideRun()
        try Files.append(Array((JSON.object(members).description + "\n").utf8), to: inside.metrics)
    }
}

struct ParamCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "param",
        abstract: "Record parameters of the run that is going on",
        discussion: """
            For the inside of `git ml run`; what is called like a secret is masked.

              $ git ml param optimizer=adam lr=0.01
            """)

    @Argument(help: "NAME=VALUE, several at once.")
    var params: [String]

    func run() throws {
        var values: [String: String] = [:]
        for text in params {
            guard let pair = KeyValue(text) else { throw ValidationError("“\(text)” is not NAME=VALUE") }
            values[pair.key] = pair.value
        }
        let masked = Secrets.masked(values)
        try InsideRun().append { $0.params(masked) }
    }
}

struct ArtifactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "artifact",
        abstract: "Keep files with the run that is going on",
        discussion: """
            For the inside of `git ml run`. The bytes are kept beside git's history and sent with the next push.

              $ git ml artifact report.html confusion.png
            """)

    @Argument(help: "The files.", completion: .file())
    var files: [String]

    @Option(help: "What they are: artifact, plot, model or data.")
    var role = "artifact"

    func run() throws {
        guard let role = RunItem.Role(rawValue: role), role != .log else {
            throw ValidationError("--role is artifact, plot, model or data")
        }
        let inside = try InsideRun()
        for file in files {
            try inside.journal.addArtifact(FilePath(file), role: role, to: inside.run)
        }
    }
}

/// The run that this process is inside of.
struct InsideRun {
    let run: String
    let journal: Journal
    /// The file that metrics are appended to.
    let metrics: FilePath

    init() throws {
        guard let folder = environmentValue("GIT_ML_RUN").map({ FilePath($0) }), let run = folder.lastComponent?.string
        else { throw JournalFailure.noRun }
        self.run = run
        journal = Journal(at: folder.removingLastComponent())
        metrics = folder.appending("metrics.jsonl")
        guard Files.exists(folder) else { throw JournalFailure.ended(run) }
    }

    /// Adds events, flushed when this returns.
    func append(_ build: (inout RunEvents) -> Void) throws { try journal.append(to: run) { build(&$0) } }
}
