internal import Base
internal import Runs

extension MLflowAPI {
    static let loggingEndpoints: [String: Endpoint] = [
        "POST runs/log-metric": { try $0.logMetric($1) },
        "POST runs/log-parameter": { try $0.logParameter($1) },
        "POST runs/set-tag": { try $0.setTag($1) },
        "POST runs/delete-tag": { try $0.deleteTag($1) },
        "POST runs/log-batch": { try $0.logBatch($1) },
        "POST runs/log-model": { try $0.logModel($1) },
        "POST runs/log-inputs": { try await $0.logInputs($1) },
        "POST runs/outputs": { try $0.logOutputs($1) },
    ]

    /// A run that may be logged to.
    private func active(_ call: Call) throws -> Run {
        let run = try ledger.outline(call.run())
        try requireActive(run)
        return run
    }

    // MARK: Metrics

    private func logMetric(_ call: Call) throws -> Answer {
        _ = try call.run()
        for name in ["key", "value", "timestamp"] {
            guard call.json[name] ?? .null != .null else { throw Call.missing(name) }
        }
        let run = try active(call)
        let metric = try Metric(call.json, path: "")
        try ledger.log([(metric.key, metric.point)], to: run.id)
        try logModelMetrics([metric], run: run.id)
        return .nothing
    }

    /// A metric of a request.
    struct Metric {
        let key: String
        let point: MetricPoint
        let model: String?
        let dataset: (name: String, digest: String)?

        init(_ json: JSON, path: String) throws {
            func at(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
            if !path.isEmpty {
                for name in ["key", "value", "timestamp"]
                where json[name] ?? .null == .null || (name == "key" && json[name] == "") {
                    throw Call.missing(at(name))
                }
            }
            let named = json["key"] ?? .null
            guard let key = named.string else { throw Call.wrongType(named, at("key")) }
            try Names.check(key, path: at("name"), what: "Metric name")
            self.key = key
            let given = json["value"] ?? .null
            guard let value = given.double ?? given.string.flatMap({ Double($0) }) else {
                throw Call.wrongType(given, at("value"))
            }
            let time = try Self.int(json["timestamp"], at("timestamp")) ?? 0
            guard time >= 0, time < 253_402_300_800_000 else {
                throw MLflowFailure.value(
                    .int(time), of: at("timestamp"),
                    "metric '\(key)' (value=\(value)). Timestamp must be a nonnegative long (64-bit integer) ")
            }
            point = MetricPoint(
                step: try Self.int(json["step"], at("step")) ?? 0, time: Timestamp(milliseconds: time), value: value)
            model = json["model_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            if let name = json["dataset_name"]?.string, let digest = json["dataset_digest"]?.string {
                dataset = (name, digest)
            } else {
                dataset = nil
            }
        }

        private static func int(_ json: JSON?, _ name: String) throws -> Int64? {
            guard let json, json != .null else { return nil }
            guard let value = Call.whole(json) else { throw Call.wrongType(json, name) }
            return value
        }
    }

    /// Metrics of logged models stand with them too.
    private func logModelMetrics(_ metrics: [Metric], run: String) throws {
        for (model, metrics) in Dictionary(grouping: metrics.filter { $0.model != nil }, by: { $0.model ?? "" }) {
            guard try registry.fold().logged[model] != nil else { continue }
            let list = metrics.map { metric in
                JSON.present([
                    ("key", .string(metric.key)), ("value", .metric(metric.point.value)),
                    ("timestamp", .int(metric.point.time.milliseconds)), ("step", .int(metric.point.step)),
                    ("dataset_name", metric.dataset.map { .string($0.name) }),
                    ("dataset_digest", metric.dataset.map { .string($0.digest) }), ("model_id", .string(model)),
                    ("run_id", .string(run)),
                ])
            }
            try registry.add("logged-model", [("id", .string(model)), ("metrics", .array(list))])
        }
    }

    // MARK: Parameters and tags

    private func logParameter(_ call: Call) throws -> Answer {
        let key = try call.required("key")
        let run = try active(call)
        let value = try Self.param(key, call.text("value") ?? "", path: "key")
        try write([key: value], params: true, to: run.id)
        return .nothing
    }

    private static func param(_ key: String, _ value: String, path: String) throws -> String {
        try Names.check(key, path: path, what: "Param key")
        return Names.cut(value, Names.longestParam)
    }

    /// Adds parameters, of which one that stands already must have the same value.
    private func add(_ params: [String: String], _ events: inout RunEvents, _ run: Run) throws {
        let params = Secrets.masked(params)
        for (key, value) in params.sorted(by: { $0.key < $1.key }) {
            guard let old = run.params[key], old != value else { continue }
            throw MLflowFailure.invalid(
                "Changing param values is not allowed. Param with key='\(key)' was already logged with value='\(old)'"
                    + " for run ID='\(run.id)'. Attempted logging new value '\(value)'.")
        }
        events.params(params.filter { run.params[$0.key] == nil })
    }

    private func write(_ values: [String: String], params isParams: Bool, to run: String) throws {
        try ledger.write(run) { events, run in
            if isParams { try add(values, &events, run) } else { set(values, &events, run) }
        }
    }

    /// Sets tags, of which those that stand already in the same words are left out.
    private func set(_ tags: [String: String], _ events: inout RunEvents, _ run: Run) {
        var tags = Secrets.masked(tags)
        if let name = tags[Run.nameTag], name == run.name { tags[Run.nameTag] = nil }
        if let user = tags["mlflow.user"], user == run.user { tags["mlflow.user"] = nil }
        if let parent = tags["mlflow.parentRunId"], parent == run.parent { tags["mlflow.parentRunId"] = nil }
        events.tags(tags.filter { run.tags[$0.key] != $0.value })
    }

    private func setTag(_ call: Call) throws -> Answer {
        let key = try call.required("key")
        let run = try active(call)
        try Names.check(key, path: "key", what: "key")
        try write([key: Names.cut(try call.text("value") ?? "", Names.longestTag)], params: false, to: run.id)
        return .nothing
    }

    private func deleteTag(_ call: Call) throws -> Answer {
        let key = try call.required("key")
        let run = try active(call)
        try ledger.write(run.id) { events, run in
            guard run.tags[key] != nil else {
                throw MLflowFailure.missing("No tag with name: \(key) in run with id \(run.id)")
            }
            events.tags([:], unset: [key])
        }
        return .nothing
    }

    // MARK: Batches

    private func logBatch(_ call: Call) throws -> Answer {
        guard call.size <= 1_000_000 else {
            throw MLflowFailure.invalid(
                "Batched logging API requests must be at most 1000000 bytes, got a request of size \(call.size).")
        }
        let id = try call.run()
        let (metrics, params, tags) = (try call.list("metrics"), try call.list("params"), try call.list("tags"))
        let counts = [("metrics", 1000, metrics.count), ("params", 100, params.count), ("tags", 100, tags.count)]
        for (what, limit, count) in counts + [("metrics, params, and tags", 1000, counts.reduce(0) { $0 + $1.2 })]
        where count > limit {
            throw MLflowFailure.invalid(
                "A batch logging request can contain at most \(limit) \(what). Got \(count) \(what)."
                    + " Please split up \(what) across multiple requests and try again.")
        }
        let points = try metrics.enumerated().map { try Metric($1, path: "metrics[\($0)]") }
        var values: [String: String] = [:]
        for (i, param) in params.enumerated() {
            guard let key = param["key"]?.string, !key.isEmpty else { throw Call.missing("params[\(i)].key") }
            let value = try Self.param(key, param["value"]?.string ?? "", path: "params[\(i)].key")
            if values[key] != nil {
                throw MLflowFailure.invalid(
                    "Duplicate parameter keys have been submitted: ['\(key)']. Please ensure the request contains only"
                        + " one param value per param key.")
            }
            values[key] = value
        }
        let set = try Self.tags(tags, value: Names.longestTag)
        let run = try ledger.outline(id)
        try requireActive(run)
        if !values.isEmpty || !set.isEmpty {
            try ledger.write(id) { events, run in
                try add(values, &events, run)
                self.set(set, &events, run)
            }
        }
        if !points.isEmpty {
            try ledger.log(points.map { ($0.key, $0.point) }, to: id)
            try logModelMetrics(points, run: id)
        }
        return .nothing
    }

    // MARK: Models and datasets

    /// The way in which clients before MLflow 3 told of a model: a tag.
    private func logModel(_ call: Call) throws -> Answer {
        _ = try call.run()
        let text = try call.required("model_json")
        guard let model = try? JSON.parse(text), model.members != nil else {
            throw MLflowFailure.invalid("Malformed model info. \n \(text.prefix(100)) \n is not a valid JSON.")
        }
        let missing = ["artifact_path", "flavors", "run_id", "utc_time_created"].filter { model[$0] == nil }
        guard missing.isEmpty else {
            let list = missing.map { "'\($0)'" }.joined(separator: ", ")
            throw MLflowFailure.invalid("Model json is missing mandatory fields: {\(list)}")
        }
        let run = try active(call)
        try ledger.write(run.id) { events, run in
            let key = "mlflow.log-model.history"
            let known = Self.list(run.tags[key])
            if !known.contains(model) { events.tags([key: JSON.array(known + [model]).description]) }
        }
        return .nothing
    }

    private func logOutputs(_ call: Call) throws -> Answer {
        let run = try active(call)
        try note(call.list("models"), in: Self.outputsTag, of: run.id)
        return .nothing
    }

    private func note(_ models: [JSON], in tag: String, of run: String) throws {
        if models.isEmpty { return }
        try ledger.write(run) { events, run in
            var list = Self.list(run.tags[tag])
            for model in models {
                let entry = JSON.present([("model_id", model["model_id"]), ("step", model["step"])])
                if !list.contains(entry) { list.append(entry) }
            }
            events.tags([tag: JSON.array(list).description])
        }
    }

    private func logInputs(_ call: Call) async throws -> Answer {
        let run = try active(call)
        var items: [RunItem] = []
        for (i, input) in try call.list("datasets").enumerated() {
            items.append(try DatasetInput(input, path: "datasets[\(i)]").item { try ledger.keep($0) })
        }
        if !items.isEmpty { try ledger.write(run.id) { events, _ in events.inputs(items) } }
        try note(call.list("models"), in: Self.inputsTag, of: run.id)
        return .nothing
    }

    /// The datasets that a run read: those that a client told of, and the data that git-ml recorded itself.
    func datasets(of run: Run) async throws -> [JSON] {
        var found: [JSON] = []
        for item in run.inputs {
            guard let known = DatasetInput.Place(item.path) else {
                found.append(DatasetInput.json(of: item))
                continue
            }
            let file = try? await ledger.file(of: item.digest, size: item.size)
            let bytes = try file.flatMap { try Files.read($0) }
            found.append(bytes.flatMap { try? JSON.parse($0) } ?? known.json)
        }
        return found
    }

    /// What a dataset was read for.
    static func context(_ dataset: JSON) -> String? {
        dataset["tags"]?.array?.last { $0["key"]?.string == "mlflow.data.context" }?["value"]?.string
    }
}

/// A dataset that a client says its run has read: kept as content, named by an input of the run.
struct DatasetInput {
    private static let folder = "mlflow-datasets/"

    private let json: JSON
    private let name: String
    private let digest: String

    init(_ json: JSON, path: String) throws {
        let dataset = json["dataset"] ?? .null
        func required(_ key: String) throws -> String {
            guard let text = dataset[key]?.string, !text.isEmpty else {
                throw MLflowFailure.invalid("Dataset \(key) cannot be None")
            }
            return text
        }
        name = try required("name")
        digest = try required("digest")
        _ = try required("source_type")
        _ = try required("source")
        let limits = [
            ("name", 500), ("digest", 36), ("schema", 1_048_575), ("source", 65_535), ("profile", 16_777_215),
        ]
        for (key, limit) in limits { try Names.checkLength(dataset[key]?.string ?? "", key, limit) }
        for tag in json["tags"]?.array ?? [] {
            for (key, limit) in [("key", 255), ("value", 500)] {
                try Names.checkLength(tag[key]?.string ?? "", key, limit)
            }
        }
        let keys = ["name", "digest", "source_type", "source", "schema", "profile"]
        let tags = json["tags"]?.array ?? []
        self.json = .present([
            ("tags", tags.isEmpty ? nil : .array(tags)), ("dataset", .present(keys.map { ($0, dataset[$0]) })),
        ])
    }

    /// Keeps the description and returns the input that names it; the same dataset told of again takes the place of the first.
    func item(keep: ([UInt8]) throws -> Digest) throws -> RunItem {
        let bytes = json.encoded()
        let path = Self.folder + PercentCode.encode(name) + "/" + PercentCode.encode(digest) + ".json"
        return RunItem(path: path, digest: try keep(bytes), size: Int64(bytes.count), role: .data)
    }

    /// What the path of such an input tells.
    struct Place {
        let name: String
        let digest: String

        init?(_ path: String) {
            guard path.hasPrefix(DatasetInput.folder), path.hasSuffix(".json") else { return nil }
            let parts = path.dropFirst(DatasetInput.folder.count).dropLast(5).split(separator: "/")
            guard parts.count == 2, let name = PercentCode.decode(parts[0]), let digest = PercentCode.decode(parts[1])
            else { return nil }
            (self.name, self.digest) = (name, digest)
        }

        var json: JSON {
            ["dataset": ["name": .string(name), "digest": .string(digest), "source_type": "unknown", "source": "{}"]]
        }
    }

    /// Data in the repository that a run has read.
    static func json(of item: RunItem) -> JSON {
        let source: JSON = ["path": .string(item.path), "oid": .string(item.digest.description)]
        return [
            "dataset": [
                "name": .string(item.path), "digest": .string(String(item.digest.hex.prefix(36))),
                "source_type": "git-ml", "source": .string(source.description),
            ]
        ]
    }
}

/// Percent-encoding of one part of a path (RFC 3986).
enum PercentCode {
    static func encode(_ text: String) -> String {
        text.utf8.map { unit in
            Call.isWord(unit) || unit == 0x2d || unit == 0x2e || unit == 0x7e
                ? String(UnicodeScalar(unit)) : "%" + Hex.encode([unit]).uppercased()
        }.joined()
    }

    /// The text; nil where a percent sign is not followed by two digits, or the bytes are no UTF-8.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let unit = rest.popFirst() {
            if unit == UInt8(ascii: "%") {
                guard rest.count >= 2, let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else {
                    return nil
                }
                bytes.append(byte)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(plusIsSpace && unit == UInt8(ascii: "+") ? 0x20 : unit)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
