internal import Base
internal import GitKit
internal import Runs

extension MLflowAPI {
    static let runEndpoints: [String: Endpoint] = [
        "POST runs/create": { try $0.createRun($1) },
        "GET runs/get": { try await $0.getRun($1) },
        "POST runs/update": { try await $0.updateRun($1) },
        "POST runs/delete": { try $0.setRunDeleted($1, true) },
        "POST runs/restore": { try $0.setRunDeleted($1, false) },
        "POST runs/search": { try await $0.searchRuns($1) },
    ]

    // MARK: Making

    private func createRun(_ call: Call) throws -> Answer {
        let experiment = try activeExperiment(call.text("experiment_id") ?? "0")
        var tags = try Self.tags(call.list("tags"), value: Names.longestTag, anyKey: true)
        let name = try call.text("run_name").flatMap { $0.isEmpty ? nil : $0 }
        if let name, let tag = tags[Run.nameTag], tag != name {
            throw MLflowFailure.invalid(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
                    + " (run_name='\(name)', mlflow.runName='\(tag)').")
        }
        tags[Run.nameTag] = name ?? tags[Run.nameTag] ?? RunNames.random()
        let parent = tags["mlflow.parentRunId"]
        if let session, parent == nil, session.take(call.json) {
            return try adopt(session.run, tags, experiment, named: name != nil)
        }
        let start = try call.int("start_time").map { Timestamp(milliseconds: $0) } ?? .now()
        guard start.microseconds >= 0, start.microseconds < 253_402_300_800_000_000 else {
            throw MLflowFailure.value(.int(start.milliseconds), of: "start_time")
        }
        let id = try ledger.id(of: call.json, started: start, given: try call.int("start_time") != nil)
        if case .known(let run) = id { return try answer(run) }
        var record = RunRecord(started: start, code: try code(tags), source: .mlflow)
        if case .new(let run) = id { record.run = run }
        record.experiment = experiment.id == "0" ? nil : experiment.name
        record.user = try call.text("user_id").flatMap { $0.isEmpty ? nil : $0 }
        record.take(tags: tags)
        record.parent = record.parent ?? session.map(\.run)
        try ledger.begin(record)
        return try answer(ledger.run(record.run.description))
    }

    /// The commit that a run's code is: what its tag says, if that is here, else HEAD.
    private func code(_ tags: [String: String]) throws -> ObjectID {
        if let id = tags["mlflow.source.git.commit"].flatMap({ ObjectID($0) }),
            try repository.header(id)?.kind == .commit
        {
            return id
        }
        guard let head = try repository.head() else {
            throw MLflowFailure(.badRequest, "the repository has no commit yet, and a run is recorded on a commit")
        }
        return head
    }

    /// Lets the first run of a script be the run of the command that started it.
    private func adopt(_ id: String, _ tags: [String: String], _ experiment: RegistryFold.Experiment, named: Bool)
        throws
        -> Answer
    {
        try ledger.write(id) { events, run in
            var set = Secrets.masked(tags)
            set["mlflow.user"] = nil
            if run.name != nil || !named { set[Run.nameTag] = nil }
            if run.experiment == nil, experiment.id != "0" { set[Run.experimentTag] = experiment.name }
            events.tags(set)
        }
        return try answer(ledger.run(id))
    }

    private func answer(_ run: Run) throws -> Answer {
        .json(["run": try json(run, in: experiments(for: run), inputs: nil)])
    }

    // MARK: Looking

    private func getRun(_ call: Call) async throws -> Answer {
        let run = try ledger.run(call.run(lookingUp: true))
        return .json(["run": try await whole(run, in: experiments(for: run))])
    }

    private func searchRuns(_ call: Call) async throws -> Answer {
        let limit = try call.limit(1000, most: 50_000)
        let offset = try PageToken.offset(call.text("page_token"))
        let view = try ViewType(call, "run_view_type")
        let filter = try MLflowFilter(call.text("filter"))
        try SearchRules.runs.check(filter)
        let experiments = try experiments()
        var ids = try call.texts("experiment_ids")
        if ids.isEmpty { ids = Array(experiments.byID.keys) }
        var query = RunQuery()
        query.sort = try call.texts("order_by").map { try Self.sortKey(OrderKey($0)) }
        let text = try filter.runsText
        let store = try ledger.store()
        // Runs of a deleted experiment count as deleted.
        var found: [Run] = []
        for (isDeleted, states) in try Self.plans(view, experiments, ids) {
            guard let condition = experiments.condition(ids, deleted: isDeleted) else { continue }
            do {
                query.filter = try Filter(text.map { "(\($0)) and \(condition)" } ?? condition)
            } catch let failure as FilterFailure {
                throw MLflowFailure.invalid("Invalid filter string: \(failure.reason)")
            }
            // What the filter of runs cannot ask is asked of all.
            query.limit = filter.extra.isEmpty ? offset + limit + 1 : nil
            found += try store.runs(query, deleted: states)
        }
        if !filter.extra.isEmpty {
            var kept: [Run] = []
            for run in found where try await holds(filter.extra, run, experiments) { kept.append(run) }
            found = kept
        }
        let page = Page(Array(found.dropFirst(offset).prefix(limit + 1)), limit: limit, offset: offset)
        var answers: [JSON] = []
        for run in page.items { answers.append(try await whole(run, in: experiments)) }
        var members: [JSON.Member] = answers.isEmpty ? [] : [JSON.Member("runs", .array(answers))]
        if let next = page.next { members.append(JSON.Member("next_page_token", .string(next))) }
        return .json(.object(members))
    }

    /// Which experiments to look in, and for runs in which states; one query where that is enough.
    private static func plans(_ view: ViewType, _ experiments: Experiments, _ ids: [String]) throws -> [(
        experiments: Set<Bool>, runs: Set<Bool>
    )] {
        switch view {
        case .active: [([false], [false])]
        case .all: [([false, true], [false, true])]
        case .deleted: [([false], [true]), ([true], [false, true])]
        }
    }

    private static func sortKey(_ key: OrderKey) throws -> RunQuery.SortKey {
        let quoted = "\"" + key.key + "\""
        switch key.kind {
        case .metric: return RunQuery.SortKey("metrics." + quoted, isDescending: key.isDescending)
        case .param: return RunQuery.SortKey("params." + quoted, isDescending: key.isDescending)
        case .tag where key.key == Run.nameTag: return RunQuery.SortKey("name", isDescending: key.isDescending)
        case .tag: return RunQuery.SortKey("tags." + quoted, isDescending: key.isDescending)
        case .attribute:
            let names = [
                "start_time": "started", "created": "started", "Created": "started", "end_time": "ended",
                "status": "status", "run_id": "run", "run_name": "name", "run name": "name", "Run Name": "name",
                "Run name": "name", "user_id": "user", "artifact_uri": "run",
            ]
            guard let name = names[key.key] else {
                throw MLflowFailure.invalid("Invalid order by key '\(key.key)' specified.")
            }
            return RunQuery.SortKey(name, isDescending: key.isDescending)
        case .dataset: throw MLflowFailure.invalid("Invalid identifier type 'dataset'")
        }
    }

    private func holds(_ conditions: [MLflowFilter.Comparison], _ run: Run, _ experiments: Experiments) async throws
        -> Bool
    {
        var sets: [JSON]?
        for condition in conditions {
            if condition.kind == .attribute {
                if !condition.holds(.text(Self.artifactURI(run.id, experiments.id(of: run)))) { return false }
                continue
            }
            let known = if let sets { sets } else { try await datasets(of: run) }
            sets = known
            let holds = known.contains { dataset in
                let text =
                    condition.key == "context" ? Self.context(dataset) : dataset["dataset"]?[condition.key]?.string
                return condition.holds(text.map { .text($0) })
            }
            if !holds { return false }
        }
        return true
    }

    // MARK: Changing

    private func updateRun(_ call: Call) async throws -> Answer {
        let id = try call.run()
        let run = try ledger.run(id)
        try requireActive(run)
        let name = try call.text("run_name").flatMap { $0.isEmpty ? nil : $0 }
        if let name, name != run.name { try ledger.write(id) { events, _ in events.tags([Run.nameTag: name]) } }
        let status = try call.json["status"]?.int.map { Self.statuses[$0] ?? "\($0)" } ?? call.text("status") ?? ""
        _ = try call.int("end_time")
        if !status.isEmpty {
            guard let end = Self.ends[status] else { throw MLflowFailure.value(.string(status), of: "status") }
            try await setStatus(run, end, try call.int("end_time"), as: status)
        }
        let changed = try ledger.run(id)
        return .json(["run_info": info(changed, in: try experiments(for: changed))])
    }

    private static let statuses: [Int64: String] = [
        1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED",
    ]
    /// A status as an end; nil inside for one that is none.
    private static let ends: [String: RunRecord.End.Status?] = [
        "RUNNING": nil, "SCHEDULED": nil, "FINISHED": .finished, "FAILED": .failed, "KILLED": .killed,
    ]

    private func setStatus(_ run: Run, _ end: RunRecord.End.Status?, _ time: Int64?, as word: String) async throws {
        if let session, session.run == run.id {
            session.status = word
            return
        }
        // A run whose command still runs ends with it.
        if run.status == "running", run.source != RunRecord.Source.mlflow.rawValue { return }
        guard let end else {
            if run.status != "running" { try await ledger.resume(run) }
            return
        }
        let moment = time.map { Timestamp(milliseconds: $0) } ?? .now()
        let seconds = max(0, moment.seconds(since: run.started))
        // The same end again, from a client that has not heard the answer, changes nothing.
        if run.status == end.rawValue, time == nil || run.seconds.map({ abs($0 - seconds) < 0.001 }) ?? false { return }
        try ledger.finish(run.id, RunRecord.End(end, seconds: seconds))
    }

    private func setRunDeleted(_ call: Call, _ isDeleted: Bool) throws -> Answer {
        let run = try ledger.run(call.run())
        if run.isDeleted == isDeleted { return .nothing }
        try ledger.write(run.id) { events, _ in if isDeleted { events.delete() } else { events.restore() } }
        return .nothing
    }

    /// Refuses to change a run that is deleted.
    func requireActive(_ run: Run) throws {
        guard !run.isDeleted else {
            throw MLflowFailure.invalid(
                "The run \(run.id) must be in the 'active' state. Current state is deleted.")
        }
    }
}

/// Names for runs that nobody has named.
enum RunNames {
    private static let first = ["bold", "calm", "keen", "kind", "neat", "quick", "shy", "sleek", "wise", "witty"]
    private static let second = ["crane", "finch", "heron", "lark", "otter", "robin", "stoat", "swift", "tern", "wren"]

    static func random() -> String {
        let words = [first.randomElement(), second.randomElement()].compactMap { $0 }
        return words.joined(separator: "-") + "-\(Int.random(in: 100...999))"
    }
}
