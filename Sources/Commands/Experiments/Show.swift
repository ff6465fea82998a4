internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show everything recorded about a run, or about a commit's runs",
        discussion: """
              $ git ml show
              $ git ml show gbm-3 --log
              $ git ml show best:metrics.auc --json
            """)

    @Argument(help: "A run (the beginning of its id, its name, best:metrics.KEY), or a commit.")
    var name = "HEAD"

    @Flag(help: "Print what the run printed.")
    var log = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let store = try RunStore.current()
        let runs = try RunSelection(store: store).runs(name)
        if log { return try await printLog(runs, store) }
        for (i, run) in runs.enumerated() {
            let view = try RunView(run, store)
            if json.isOn {
                print(view.json)
            } else {
                if i > 0 { print("") }
                view.print()
            }
        }
    }

    /// Prints a log as it is, byte for byte; what steers a terminal is taken out only where there is one.
    private func printLog(_ runs: [Run], _ store: RunStore) async throws {
        let repository = store.repository
        for run in runs {
            guard let item = run.log else { throw NoLog(run: RunLabels.of(run)) }
            let remote = DataRemote(repository, project: try Project.inWorkTree(of: repository))
            let kept = KeptObjects(repository)
            var bytes = try Files.read(kept.store.path(of: item.digest))
            if bytes == nil { bytes = try await kept.read(item.digest, remote: remote.resolve()) }
            guard let bytes else { throw MissingLog(run: RunLabels.of(run), digest: item.digest) }
            if isatty(1) == 1 {
                for line in String(decoding: bytes, as: UTF8.self).split(
                    separator: "\n", omittingEmptySubsequences: false)
                { print(Terminal.safe(String(line))) }
            } else {
                fflush(nil)
                try FileDescriptor.standardOutput.writeAll(bytes)
            }
        }
    }
}

/// One run, in full.
private struct RunView {
    private let run: Run
    private let store: RunStore
    private let summary: String
    private let children: [Run]

    init(_ run: Run, _ store: RunStore) throws {
        self.run = run
        self.store = store
        summary = (try? store.repository.commit(run.commit).summary) ?? ""
        children = try store.runs(inside: run)
    }

    private var logPath: FilePath? {
        run.log.map { KeptObjects(store.repository).store.path(of: $0.digest) }
    }

    /// What `git ml runs --json` prints, and the rest.
    var json: JSON {
        let more: [JSON.Member] = [
            JSON.Member("exit", run.exit.map { .int($0) } ?? .null),
            JSON.Member("peak_memory", run.peakMemory.map { .int($0) } ?? .null),
            JSON.Member("command", .array(run.command.map { .string($0) })),
            JSON.Member("host", .optional(run.host)),
            JSON.Member("left_out", .array(run.leftOut.map { .string($0) })),
            JSON.Member("links", .array(run.links.map { .string($0.hex) })),
            JSON.Member("parent", .optional(run.parent)),
            JSON.Member("children", .array(children.map { .string($0.id) })),
            JSON.Member("environment", run.environment),
            JSON.Member(
                "summaries",
                .sorted(
                    run.metrics.mapValues { summary in
                        [
                            "last": .number(summary.last), "step": .int(summary.step), "min": .number(summary.min),
                            "max": .number(summary.max), "first_step": .int(summary.firstStep),
                            "count": .int(summary.count),
                        ]
                    })),
            JSON.Member("note", .optional(run.tags[Run.noteTag])),
            JSON.Member("log", .optional(run.log?.digest.description)),
            JSON.Member("deleted", .bool(run.isDeleted)),
        ]
        return .object((run.json.members ?? []) + more)
    }

    func print() {
        line("run", [run.name, run.id].compactMap(\.self).joined(separator: "  "))
        line("status", status)
        line("when", "\(run.started.minutes) UTC" + (run.seconds.map { ", took \(Duration.text($0))" } ?? ""))
        line("who", [run.user, run.host].compactMap(\.self).joined(separator: " on "))
        line("command", run.command.map(shellQuoted).joined(separator: " "))
        line("code", "\(run.commit) \(summary)" + (run.dirty ? " (with changes that were not committed)" : ""))
        line("left out", run.leftOut.joined(separator: ", "))
        for link in run.links { line("linked", "\(link)") }
        if let parent = run.parent { line("part of", label(parent)) }
        for child in children { line("child", "\(RunLabels.of(child)) \(child.status)") }
        line("memory", run.peakMemory.map { "\(ByteCount.format($0)) at most" } ?? "")
        for member in run.environment.members ?? [] { line(member.key, Environment.text(member.value)) }
        for tag in run.tags.sorted(by: { $0.key < $1.key }) where tag.key != Run.noteTag {
            line("tag", "\(tag.key)=\(tag.value)")
        }
        if let note = run.tags[Run.noteTag] {
            for text in note.split(separator: "\n", omittingEmptySubsequences: false) { line("note", String(text)) }
        }
        section(["PARAMETER", "VALUE"], run.params.sorted { $0.key < $1.key }.map { [$0.key, $0.value] })
        metrics()
        section(["INPUT", "DIGEST", "SIZE"], run.inputs.map { [$0.path, $0.digest.short, ByteCount.format($0.size)] })
        section(
            ["OUTPUT", "DIGEST", "SIZE", "ROLE"],
            run.outputs.map { [$0.path, $0.digest.short, ByteCount.format($0.size), $0.role.rawValue] })
        if let log = run.log, let path = logPath {
            let place = Files.exists(path) ? path.string : "at the data remote"
            Swift.print("")
            line("log", "\(place) (\(ByteCount.format(log.size)); `git ml show \(RunLabels.short(run.id)) --log`)")
        }
    }

    private var status: String {
        var text = run.status
        if let exit = run.exit, exit != 0 || run.status != "finished" { text += ", exit status \(exit)" }
        return text + (run.isDeleted ? ", deleted" : "") + ", recorded by \(run.source)"
    }

    private func label(_ id: String) -> String {
        let run = (try? store.run(id: id)).flatMap(\.self)
        return run.map { "\(RunLabels.of($0)) (\(RunLabels.short(id)))" } ?? RunLabels.short(id)
    }

    private func metrics() {
        let all = run.metrics.sorted { $0.key < $1.key }
        guard all.contains(where: { $0.value.count > 1 }) else {
            return section(["METRIC", "VALUE"], all.map { [$0.key, RunTable.text($0.value.last)] })
        }
        section(
            ["METRIC", "LAST", "MIN", "MAX", "STEP", "POINTS"],
            all.map { key, summary in
                [key] + [summary.last, summary.min, summary.max].map(RunTable.text)
                    + [String(summary.step), String(summary.count)]
            })
    }

    private func line(_ title: String, _ text: String) {
        if !text.isEmpty { Swift.print("\(Terminal.safe(title).padded(8)) \(Terminal.safe(text))") }
    }

    private func section(_ header: [String], _ rows: [[String]]) {
        if rows.isEmpty { return }
        var table = Table(header)
        for row in rows { table.add(row) }
        Swift.print("")
        table.print()
    }
}

/// A run that printed nothing, or that was not run by `git ml run`.
struct NoLog: Failure {
    let run: String
    var kind: FailureKind { .notFound }
    var description: String { Terminal.safe("the run \(run) has no log") }
    var hints: [String] { ["`git ml run -- COMMAND` keeps what a command prints"] }
}

/// A log that is neither here nor at the remote.
struct MissingLog: Failure {
    let run: String
    let digest: Digest
    var kind: FailureKind { .notFound }
    var description: String { Terminal.safe("the log of the run \(run) (\(digest.short)) is not here") }
    var hints: [String] { ["run `git push` in the clone that made it, then `git ml sync` here"] }
}

/// A commit without a recorded run.
struct NoRun: Failure {
    let commit: String
    var kind: FailureKind { .notFound }
    var description: String { "no experiment is recorded on \(commit)" }
    var hints: [String] { ["`git ml log` lists those that are"] }
}

extension String {
    /// Filled with spaces to a width.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
