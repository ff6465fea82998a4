internal import Base
internal import SystemPackage

/// A run's `meta.yaml`.
struct MLflowMeta {
    let name: String?
    let user: String?
    let started: Timestamp
    /// Nil while the run goes on.
    let end: RunRecord.End?
    let isDeleted: Bool
    /// When the file was written.
    let changed: Timestamp

    /// Reads a folder's `meta.yaml`; nil when there is none.
    init?(_ folder: FilePath, label: String) throws {
        guard let node = try Self.node(folder, label: label) else { return nil }
        func text(_ key: String) -> String? { node[key]?.string.flatMap { $0.isEmpty ? nil : $0 } }
        guard let start = node["start_time"]?.int else {
            throw ValueFileFailure(path: label + "/meta.yaml", reason: "it lacks start_time")
        }
        name = text("run_name") ?? text("name")
        user = text("user_id")
        let started = Timestamp(writtenMilliseconds: start)
        self.started = started
        isDeleted = node["lifecycle_stage"]?.string == "deleted"
        let ended = node["end_time"]?.int.map { Timestamp(writtenMilliseconds: $0) }
        end = Self.status(node["status"]).map { status in
            RunRecord.End(status, seconds: ended.map { max(0, $0.seconds(since: started)) })
        }
        changed = Files.status(folder.appending("meta.yaml"))?.modified ?? started
    }

    /// The content of a folder's `meta.yaml`; nil when there is none.
    static func node(_ folder: FilePath, label: String) throws -> JSON? {
        guard let text = try Files.readText(folder.appending("meta.yaml")) else { return nil }
        let node = try YAMLNode.parse(text, file: label + "/meta.yaml").json
        guard node.members != nil else {
            throw ValueFileFailure(path: label + "/meta.yaml", reason: "it holds no keys and values")
        }
        return node
    }

    /// Numbers as `RunStatus` has them, or its names; nil while the run goes on.
    private static func status(_ value: JSON?) -> RunRecord.End.Status? {
        switch (value?.int, value?.string) {
        case (3, _), (_, "FINISHED"): .finished
        case (4, _), (_, "FAILED"): .failed
        case (5, _), (_, "KILLED"): .killed
        default: nil
        }
    }
}

/// The files of a run's folder.
struct MLflowRunFiles {
    private(set) var warnings: [String] = []
    /// When the newest of the files was written.
    private(set) var changed = Timestamp(microseconds: 0)
    private let folder: FilePath
    private let label: String
    /// The largest parameter or tag that is kept: notes are read often.
    private static let largestValue: Int64 = 1 << 16

    init(_ folder: FilePath, label: String) {
        self.folder = folder
        self.label = label
    }

    /// The parameters or tags: a file each, named by its key, with the value as it is.
    mutating func values(_ kind: String) throws -> [String: String] {
        var values: [String: String] = [:]
        for (key, file, status) in try files(below: folder.appending(kind)) {
            if status.size > Self.largestValue {
                warnings.append("\(label)/\(kind)/\(key): \(ByteCount.format(status.size)) is too long for a value")
            } else {
                values[key] = try Files.readText(file)
            }
        }
        return values
    }

    /// The curves: lines of time in milliseconds, value and step.
    mutating func metrics() throws -> [String: [MetricPoint]] {
        var series: [String: [MetricPoint]] = [:]
        for (key, file, _) in try files(below: folder.appending("metrics")) {
            var points: [MetricPoint] = []
            var bad: Int?
            for (i, line) in (try Files.read(file) ?? []).split(separator: 0x0a).enumerated() {
                if let point = Self.point(line) { points.append(point) } else { bad = bad ?? i + 1 }
            }
            if let bad { warnings.append("\(label)/metrics/\(key):\(bad): it is not time, value and step") }
            if !points.isEmpty { series[key] = points }
        }
        return series
    }

    private static func point(_ line: ArraySlice<UInt8>) -> MetricPoint? {
        let words = line.split(whereSeparator: { $0 <= 0x20 }).map { String(decoding: $0, as: UTF8.self) }
        guard words.count >= 2, let time = Int64(words[0]), let value = Double(words[1]),
            let step = words.count > 2 ? Int64(words[2]) : 0
        else { return nil }
        return MetricPoint(step: step, time: Timestamp(writtenMilliseconds: time), value: value)
    }

    /// The artifacts; those in a folder with an `MLmodel` file are a model.
    mutating func artifacts(_ store: any KeptContent) throws -> [RunItem] {
        try items(below: folder.appending("artifacts"), as: "", .artifact, store)
    }

    /// Takes in the files below a folder.
    mutating func items(below folder: FilePath, as prefix: String, _ role: RunItem.Role, _ store: any KeptContent)
        throws -> [RunItem]
    {
        let found = try files(below: folder)
        let models = found.filter { $0.file.lastComponent?.string == "MLmodel" }.map {
            $0.key.dropLast("MLmodel".count)
        }
        return try found.map { key, file, _ in
            let (digest, size) = try store.keep(file: file)
            let isModel = models.contains { key.hasPrefix($0) }
            return RunItem(path: prefix + key, digest: digest, size: size, role: isModel ? .model : role)
        }
    }

    private mutating func files(below folder: FilePath) throws -> [(key: String, file: FilePath, status: FileStatus)] {
        var found: [(key: String, file: FilePath, status: FileStatus)] = []
        var walk = FolderWalk(budget: 100_000, depth: 16)
        try walk.files(below: folder) { key, file, status in
            changed = max(changed, status.modified)
            found.append((key, file, status))
        }
        return found
    }
}
