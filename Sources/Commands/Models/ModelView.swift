internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Runs

/// One model in full, as `git ml model` shows it.
struct ModelView {
    /// A commit that bears a version or is in a stage, and what is known of it.
    struct Detail {
        let commit: ObjectID
        let versions: [Version]
        let stages: [String]
        let run: Run?
        /// Why no run can be named.
        let runProblem: String?
        /// The latest delivery that built an image.
        let image: DeliveryRecord?
        /// The stages where this is what was last deployed.
        let deployed: [DeliveryRecord]
    }

    private let entry: ModelEntry
    private let path: String?
    private let description: String?
    private let store: RunStore
    private let deliveries: [DeliveryRecord]

    init(_ entry: ModelEntry, _ models: ModelProject, _ store: RunStore) throws {
        self.entry = entry
        self.store = store
        path = models.path(of: entry.name)
        description = models.project.models[entry.name]?.description ?? entry.artifact?.description
        deliveries = try DeliveryLog(store.repository).all().filter { $0.model == "\(entry.name)" }
    }

    /// The commits to tell of: the highest version first, then those in a stage that bear none.
    var commits: [ObjectID] {
        let versions = entry.versions.sorted { $1.version < $0.version }.map(\.commit)
        let staged = entry.stages.sorted { $0.key < $1.key }.flatMap(\.value) + entry.desired.values
        var seen: Set<ObjectID> = []
        return (versions + staged.map(\.commit)).filter { seen.insert($0).inserted }
    }

    /// Those in a stage, and the first of the others.
    func recent(_ commits: [ObjectID], limit: Int) -> [ObjectID] {
        let staged = Set((entry.stages.values.flatMap(\.self) + entry.desired.values).map(\.commit))
        let others = Set(commits.filter { !staged.contains($0) }.prefix(limit))
        return commits.filter { staged.contains($0) || others.contains($0) }
    }

    func detail(_ commit: ObjectID) -> Detail {
        var run: Run?
        var problem: String?
        do {
            run = try store.run(behind: commit, path: path)?.seen(by: "\(entry.name)")
            if run == nil { problem = "none is recorded" }
        } catch {
            problem = "\(error)"
        }
        let own = deliveries.filter { $0.commit == commit }
        let current = Dictionary(grouping: deliveries.filter { $0.status == "succeeded" }, by: \.stage)
            .compactMapValues { $0.max { ($0.ended ?? $0.started) < ($1.ended ?? $1.started) } }
        return Detail(
            commit: commit, versions: entry.versions.filter { $0.commit == commit },
            stages: entry.stages.filter { $0.value.contains { $0.commit == commit } }.keys.sorted(), run: run,
            runProblem: problem, image: own.first { $0.digest != nil },
            deployed: current.values.filter { $0.commit == commit }.sorted { $0.stage < $1.stage })
    }
}

// MARK: - Showing

extension ModelView {
    func print(_ details: [Detail], leftOut: Int) {
        line("model", "\(entry.name)" + (entry.isDeprecated ? ", deprecated" : ""))
        line("about", description ?? "")
        line("type", entry.artifact?.type ?? "")
        line("labels", entry.artifact?.labels.joined(separator: ", ") ?? "")
        line("path", path ?? "")
        line("latest", entry.latest.map { "\($0.version)  \($0.commit.short)" } ?? "no version is registered")
        var stages = Table(["STAGE", "VERSION", "COMMIT", "SINCE", "BY", "TAG"])
        for (stage, assignments) in entry.stages.sorted(by: { $0.key < $1.key }) {
            for assignment in assignments {
                stages.add([
                    stage, assignment.version.map { "\($0)" } ?? "", assignment.commit.short, assignment.time.minutes,
                    assignment.by ?? "", assignment.tag,
                ])
            }
        }
        if !stages.isEmpty {
            Swift.print("")
            stages.print()
        }
        for dispute in entry.disputes { Swift.print(Terminal.safe(dispute)) }
        for detail in details { print(detail) }
        if leftOut > 0 { Swift.print("\n\(leftOut) more with --all") }
    }

    private func print(_ detail: Detail) {
        let names = detail.versions.map { "\($0.version)" + ($0.isDeregistered ? " (deregistered)" : "") }
        Swift.print("")
        Swift.print(
            Terminal.heading(
                Terminal.safe(
                    (names.isEmpty ? ["without a version"] : names).joined(separator: ", ") + "  \(detail.commit.short)"
                        + (detail.stages.isEmpty ? "" : "  in \(detail.stages.joined(separator: ", "))"))))
        for version in detail.versions {
            line("made", "\(version.time.minutes) UTC" + (version.by.map { " by \($0)" } ?? ""))
        }
        if let run = detail.run {
            line("run", RunLabels.of(run) + "  \(RunLabels.short(run.id))" + (run.user.map { "  by \($0)" } ?? ""))
            line(
                "metrics",
                run.values.sorted { $0.key < $1.key }.map { "\($0.key) \(RunTable.text($0.value))" }.joined(
                    separator: ", "))
            for item in run.inputs where item.role == .data {
                line("data", "\(item.path)  \(item.digest.short)  \(ByteCount.format(item.size))")
            }
        } else {
            line("run", detail.runProblem ?? "")
        }
        if let image = detail.image {
            line("image", [image.image, image.digest].compactMap(\.self).joined(separator: "  "))
        }
        for record in detail.deployed {
            line(
                "deployed",
                [record.stage, record.target, record.ended.map { "since \($0.minutes) UTC" }].compactMap(\.self)
                    .joined(separator: "  "))
        }
    }

    private func line(_ title: String, _ text: String) {
        if !text.isEmpty { Swift.print("\(title.padded(8)) \(Terminal.safe(text))") }
    }

    /// What `git ml models --json` prints, and the rest.
    func json(_ details: [Detail]) -> JSON {
        let more: [JSON.Member] = [
            JSON.Member("path", .optional(path)), JSON.Member("description", .optional(description)),
            JSON.Member("type", .optional(entry.artifact?.type)),
            JSON.Member("labels", .array((entry.artifact?.labels ?? []).map { .string($0) })),
            JSON.Member("disputed", .array(entry.disputedStages.map { .string($0) })),
            JSON.Member("commits", .array(details.map(json))),
        ]
        return .object((entry.json(all: true).members ?? []) + more)
    }

    private func json(_ detail: Detail) -> JSON {
        [
            "commit": .string(detail.commit.hex),
            "versions": .array(
                detail.versions.map {
                    [
                        "version": .string("\($0.version)"), "tag": .string($0.tag),
                        "deregistered": .bool($0.isDeregistered), "by": .optional($0.by),
                        "time": .string($0.time.wholeSeconds),
                    ]
                }),
            "stages": .array(detail.stages.map { .string($0) }), "run": .optional(detail.run?.id),
            "run_problem": .optional(detail.runProblem),
            "metrics": .sorted((detail.run?.values ?? [:]).mapValues { .number($0) }),
            "params": .sorted(detail.run?.params ?? [:]),
            "data": .array((detail.run?.inputs ?? []).filter { $0.role == .data }.map(\.json)),
            "image": .optional(detail.image?.image), "digest": .optional(detail.image?.digest),
            "deployed": .array(
                detail.deployed.map {
                    [
                        "stage": .string($0.stage), "target": .optional($0.target), "digest": .optional($0.digest),
                        "delivery": .string($0.id), "since": .optional(($0.ended ?? $0.started).wholeSeconds),
                    ]
                }),
        ]
    }
}
