internal import Base
internal import Delivery
internal import GitKit
internal import Models
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

/// What the pages of a site show, read from the repository when they are asked for.
struct Views: Sendable {
    let ledger: Ledger
    var site: Site

    private var repository: Repository { ledger.repository }

    // MARK: Experiments

    func runs() throws -> SitePage { RunsPage(columns: try ledger.store().columns(), site: site).page }

    func rows(_ arguments: [String: [String]]) throws -> JSON {
        try RunsRequest(arguments).json(ledger.store(), site)
    }

    func best(_ arguments: [String: [String]]) throws -> JSON { try RunsRequest(arguments).best(ledger.store()) }

    // MARK: A run

    func run(_ name: String) async throws -> SitePage {
        let store = try ledger.store()
        let run = try store.run(named: name)
        return RunPage(
            run: run, site: site, code: await CodeChange.of(run, in: repository), log: try await log(of: run),
            children: try store.runs(inside: run), parent: try run.parent.flatMap { try store.run(id: $0) },
            isGoingOn: Journal(repository).isGoingOn(run.id)
        ).page
    }

    /// The curves of a run: of the metrics that are named, else of all that have more than one point.
    func curves(_ id: String, _ arguments: [String: [String]] = [:]) async throws -> JSON {
        let run = try ledger.store().run(named: id)
        let count = min(20_000, max(10, arguments["points"]?.first.flatMap { Int($0) } ?? 1000))
        let wanted = arguments["metric"].map(Set.init)
        let curves = try await ledger.series(of: run).merging(
            Journal(repository).systemSeries(of: run.id)
        ) { $0 + $1 }.filter {
            wanted?.contains($0.key) ?? ($0.value.count > 1)
        }
        return [
            "run": .string(run.id), "label": .string(RunLabels.of(run)),
            "curves": .sorted(
                curves.mapValues { CurveSampling.json($0, started: run.started, count: count) }),
        ]
    }

    func item(_ path: String, of id: String) throws -> RunItem {
        let run = try ledger.store().run(named: id)
        guard let item = run.outputs.last(where: { $0.path == path }) else {
            throw MLflowFailure.missing("The run has no file \(path)")
        }
        return item
    }

    private func log(of run: Run) async throws -> LogTail? {
        let live = Journal(repository).folder(of: run.id).appending("log")
        if Files.exists(live) { return try LogTail(live) }
        guard let item = run.log else { return nil }
        guard let file = try? await ledger.file(of: item.digest, size: item.size) else { return .missing }
        return try LogTail(file)
    }

    // MARK: Several runs

    /// The most runs that can stand beside each other.
    private static let widest = 20

    private func chosen(_ names: [String]) throws -> [Run] {
        let store = try ledger.store()
        var seen: Set<String> = []
        return try names.prefix(Self.widest).map { try store.run(named: $0) }.filter { seen.insert($0.id).inserted }
    }

    func compare(_ names: [String]) throws -> SitePage { ComparePage(runs: try chosen(names), site: site).page }

    /// The values of runs, for charts.
    func comparison(_ names: [String]) throws -> JSON {
        let runs = try chosen(names)
        return [
            "runs": .array(
                zip(runs, RunLabels.of(runs)).map { run, label in
                    [
                        "id": .string(run.id), "label": .string(label), "params": .sorted(run.params),
                        "metrics": .sorted(
                            run.values.filter { $0.value.isFinite }.mapValues { .number($0) }),
                        "curves": .array(
                            run.metrics.filter { $0.value.count > 1 }.keys.sorted().map { .string($0) }),
                    ]
                })
        ]
    }

    // MARK: Data

    func data() async throws -> SitePage {
        var files: [DataFile] = []
        var datasets: [(path: String, pointer: DatasetPointer)] = []
        if let head = try repository.head() {
            files = try await DataFiles(repository).at(head)
            datasets = try DatasetScan(repository).pointers(in: head)
        }
        let digests = Set(files.map(\.pointer.digest) + datasets.map(\.pointer.manifest.digest))
        return DataPage(
            files: files, datasets: datasets, uses: try ledger.store().uses(of: digests), site: site,
            isHere: { repository.contentStore.contains($0.digest, size: $0.size) }
        ).page
    }

    func content(_ name: String) throws -> SitePage {
        guard let digest = Digest(name) else { throw MLflowFailure.missing("\(name) is no digest") }
        let runs = try ledger.store().runs(using: digest, limit: ContentPage.longest)
        return ContentPage(digest: digest, runs: runs, site: site).page
    }

    // MARK: Models

    func models() throws -> SitePage {
        ModelsPage(entries: try ModelProject(repository).entries, site: site).page
    }

    func model(_ name: String) throws -> SitePage {
        let models = try ModelProject(repository)
        let entry = try models.entry(name)
        let (path, store) = (models.path(of: entry.name), try ledger.store())
        let deliveries = try DeliveryLog(repository).all().filter { $0.model == "\(entry.name)" }
        return ModelPage(
            entry: entry, path: path, description: models.project.models[entry.name]?.description,
            deliveries: deliveries, site: site,
            run: { try? store.run(behind: $0, path: path)?.seen(by: "\(entry.name)") }
        ).page
    }

    // MARK: Deliveries

    func deliveries() throws -> SitePage {
        DeliveriesPage(records: try DeliveryLog(repository).all(), site: site).page
    }

    func delivery(_ id: String) async throws -> SitePage {
        guard let record = try DeliveryLog(repository).delivery(id) else {
            throw MLflowFailure.missing("No single delivery begins with \(id)")
        }
        var logs: [Digest: String] = [:]
        for digest in Set(record.steps.compactMap(\.log)) {
            guard let bytes = try? await ledger.content(digest) else { continue }
            logs[digest] = String(decoding: bytes, as: UTF8.self)
        }
        return DeliveryPage(record: record, logs: logs, site: site).page
    }
}
