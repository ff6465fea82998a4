internal import Base
public import GitKit
public import SystemPackage

/// Reads runs of Weights & Biases from JSON lines.
///
/// A line is a run: `id`, `name`, `project`, `entity`, `user`, `state`, `created_at`, `config`, `summary`, `tags`, `notes`,
/// `history` (an array of rows); or a row of a run's history, which belongs to the run whose id stands in its `run` or
/// `_run`, else to the run line before it. Rows have `_step`, `_timestamp` (seconds since 1970), `_runtime` and metrics.
public enum WandBExport {
    /// Whether bytes look like such an export: the first line is a run.
    public static func isExport(_ line: some Collection<UInt8>) -> Bool {
        guard let json = try? JSON.parse(Array(line)) else { return false }
        return json["id"]?.string != nil && (json["config"] != nil || json["summary"] != nil || json["state"] != nil)
    }

    public static func read(_ file: FilePath, code: ObjectID) throws -> FoundContent {
        guard let bytes = try Files.read(file) else { throw FileFailure("read", file, .noSuchFileOrDirectory) }
        let name = file.lastComponent?.string ?? file.string
        var content = FoundContent()
        var runs: [String: WandBRun] = [:]
        var order: [String] = []
        for (i, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy({ $0 <= 0x20 }) { continue }
            guard let json = try? JSON.parse(Array(line)), json.members != nil else {
                content.warnings.append("\(name):\(i + 1): it is not a JSON object")
                continue
            }
            if json["_step"] != nil || json["_timestamp"] != nil, json["config"] == nil {
                let id = json["_run"]?.string ?? json["run"]?.string ?? order.last
                if let id, runs[id] != nil {
                    runs[id]?.take(row: json)
                } else {
                    content.warnings.append("\(name):\(i + 1): the row belongs to no run that came before")
                }
            } else if let id = json["id"]?.string {
                if runs[id] == nil { order.append(id) }
                runs[id] = WandBRun(id: id, json)
            } else {
                content.warnings.append("\(name):\(i + 1): it is neither a run with an id nor a row with _step")
            }
        }
        for id in order {
            guard let run = runs[id] else { continue }
            if let record = run.record(code: code) {
                content.records.append(record)
            } else {
                content.warnings.append("\(name): the run \(id) goes on; import it when it has ended")
            }
        }
        return content
    }
}

/// A run of Weights & Biases.
private struct WandBRun {
    let id: String
    private let json: JSON
    private var series: [String: [MetricPoint]] = [:]
    private var rows: Int64 = 0
    private var last: Timestamp?
    private var runtime: Double?

    init(id: String, _ json: JSON) {
        self.id = id
        self.json = json
        for row in json["history"]?.array ?? [] { take(row: row) }
    }

    private var created: Timestamp? {
        json["created_at"]?.string.flatMap { Timestamp(written: $0) }
            ?? json["created_at"]?.double.map { Timestamp(writtenSeconds: $0) }
    }

    mutating func take(row: JSON) {
        let step = row["_step"]?.int ?? rows
        let time = row["_timestamp"]?.double.map { Timestamp(writtenSeconds: $0) } ?? created
        rows += 1
        runtime = row["_runtime"]?.double ?? runtime
        last = time ?? last
        for (key, value) in Self.flat(row) where !key.hasPrefix("_") && key != "run" {
            guard let number = value.double ?? value.bool.map({ $0 ? 1 : 0 }) else { continue }
            series[key, default: []].append(
                MetricPoint(step: step, time: time ?? Timestamp(microseconds: 0), value: number))
        }
    }

    /// Nil while it goes on.
    func record(code: ObjectID) -> RunRecord? {
        let status: RunRecord.End.Status
        switch json["state"]?.string?.lowercased() {
        case "running", "pending", "preempting": return nil
        case "failed": status = .failed
        case "crashed", "killed", "preempted": status = .killed
        default: status = .finished
        }
        let first = series.values.compactMap { $0.first?.time }.min()
        let started = created ?? first ?? Timestamp(microseconds: 0)
        let place = [json["entity"], json["project"]].map { $0?.string ?? "" }.joined(separator: "/")
        var record = RunRecord(
            run: UUIDv7(at: started, identifying: "wandb\n\(place)\n\(id)"), started: started, code: code,
            source: .imported)
        record.name = json["name"]?.string ?? json["display_name"]?.string ?? id
        record.experiment = json["project"]?.string
        record.user = json["user"]?.string ?? json["user"]?["username"]?.string ?? json["username"]?.string
        record.params = Secrets.masked(ValueFile.params(Self.flat(config).filter { !$0.key.hasPrefix("_wandb") }))
        record.series = series
        let summary = Self.flat(Self.object(json["summary"] ?? json["summary_metrics"]))
        for (key, value) in ValueFile.metrics(summary) where !key.hasPrefix("_") && series[key] == nil {
            let step = summary["_step"]?.int ?? 0
            record.series[key] = [MetricPoint(step: step, time: last ?? started, value: value)]
        }
        var tags = ["wandb.id": id]
        for tag in json["tags"]?.array ?? [] { if let tag = tag.string { tags[tag] = "true" } }
        tags.merge(json["tags"]?.texts ?? [:]) { $1 }
        tags[Run.noteTag] = json["notes"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        tags["wandb.url"] = json["url"]?.string
        record.tags = Secrets.masked(tags)
        let seconds = runtime ?? summary["_runtime"]?.double ?? last.map { $0.seconds(since: started) }
        record.end = RunRecord.End(status, seconds: seconds.flatMap { $0.isFinite ? max(0, $0) : nil })
        return record
    }

    /// The configuration; the raw form has each value in an object with `desc`.
    private var config: JSON {
        let members = Self.object(json["config"]).members ?? []
        return .object(
            members.map { member in
                let keys = Set((member.value.members ?? []).map(\.key))
                let isWrapped = keys == ["desc", "value"] || keys == ["value"]
                return JSON.Member(member.key, isWrapped ? member.value["value"] ?? nil : member.value)
            })
    }

    /// W&B's own API gives objects as JSON inside a text.
    private static func object(_ value: JSON?) -> JSON {
        value?.string.flatMap { try? JSON.parse($0) } ?? value ?? [:]
    }

    private static func flat(_ value: JSON) -> [String: JSON] { ValueFile.flat(value) }
}
