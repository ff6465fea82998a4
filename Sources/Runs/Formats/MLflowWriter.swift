internal import Base
internal import GitKit
internal import Pointers
internal import Storage
public import SystemPackage

/// Writes runs as an MLflow file store that MLflow's client reads.
///
/// Names that MLflow forbids are changed to what it accepts: other characters become `_`. Writing the same runs again
/// changes nothing; what somebody else has added to a run's folder stays.
public struct MLflowWriter: Sendable {
    private let root: FilePath
    private let store: RunStore
    private let places: [ContentStore]
    private var experiments: [String: FilePath] = [:]
    /// Sentences about what has no place in a file store, or is not here.
    public private(set) var warnings: [String] = []

    public init(_ root: FilePath, store: RunStore) throws {
        self.root = root
        self.store = store
        places = [KeptObjects(store.repository).store, store.repository.contentStore]
        // An experiment that is there under the same name is gone on with, whatever its id.
        for name in try Files.list(root) where name != ".trash" {
            guard let node = try? MLflowMeta.node(root.appending(name), label: name),
                let title = node["name"]?.string
            else { continue }
            experiments[title] = root.appending(name)
        }
        try Files.makeDirectory(root.appending(".trash"))
    }

    /// The id of an experiment as git-ml's MLflow API tells it: the first 15 decimal digits of its name's SHA-256.
    public static func experimentID(_ name: String) -> String {
        if name == "Default" { return "0" }
        var number = Digest.of(name).bytes
        var digits: [UInt8] = []
        while number.contains(where: { $0 != 0 }) {
            var remainder = 0
            for i in number.indices {
                let value = remainder << 8 | Int(number[i])
                number[i] = UInt8(value / 10)
                remainder = value % 10
            }
            digits.append(UInt8(ascii: "0") + UInt8(remainder))
        }
        return String(decoding: digits.reversed().prefix(15), as: UTF8.self)
    }

    /// Writes one run.
    public mutating func write(_ run: Run) async throws {
        let experiment = try folder(ofExperiment: run.experiment ?? "Default", at: run.started)
        let folder = experiment.appending(run.id)
        var curves: [String: [MetricPoint]] = [:]
        do {
            curves = try await store.series(of: run)
        } catch let failure as any Failure {
            warnings.append("\(run.name ?? run.id): \(failure); only last values were written")
        }
        for (key, value) in run.metrics where curves[key] == nil {
            let time = value.at ?? run.started
            curves[key] = [MetricPoint(step: value.step, time: time, value: value.last)]
        }
        try write(run.params, below: folder.appending("params"), run)
        try write(curves.mapValues { Self.lines($0) }, below: folder.appending("metrics"), run)
        try write(Self.tags(run), below: folder.appending("tags"), run)
        try Files.makeDirectory(folder.appending("artifacts"))
        try copy(run.outputs, below: folder.appending("artifacts"), run)
        // Last: a folder without it is no run, so that a killed export leaves none that is not whole.
        try replace(folder.appending("meta.yaml"), meta(run, experiment, folder))
    }

    private mutating func folder(ofExperiment name: String, at time: Timestamp) throws -> FilePath {
        if let known = experiments[name] { return known }
        let id = Self.experimentID(name)
        let folder = root.appending(id)
        let meta: [(String, JSON)] = [
            ("artifact_location", .string("file://" + Self.absolute(folder))),
            ("creation_time", .int(time.microseconds / 1000)), ("experiment_id", .string(id)),
            ("last_update_time", .int(time.microseconds / 1000)), ("lifecycle_stage", "active"),
            ("name", .string(name)),
        ]
        try replace(folder.appending("meta.yaml"), Self.yaml(meta))
        experiments[name] = folder
        return folder
    }

    private func meta(_ run: Run, _ experiment: FilePath, _ folder: FilePath) -> [UInt8] {
        let status: [String: Int64] = ["finished": 3, "failed": 4, "killed": 5]
        let end = run.status == "running" ? nil : run.started.advanced(bySeconds: run.seconds ?? 0)
        return Self.yaml([
            ("artifact_uri", .string("file://" + Self.absolute(folder) + "/artifacts")),
            ("end_time", end.map { .int($0.microseconds / 1000) } ?? nil), ("entry_point_name", ""),
            ("experiment_id", .string(experiment.lastComponent?.string ?? "0")),
            ("lifecycle_stage", run.isDeleted ? "deleted" : "active"), ("run_id", .string(run.id)),
            ("run_name", .string(run.name ?? run.id)), ("source_name", ""), ("source_type", 4), ("source_version", ""),
            ("start_time", .int(run.started.microseconds / 1000)), ("status", .int(status[run.status] ?? 1)),
            ("tags", []), ("user_id", .string(run.user ?? "")),
        ])
    }

    private static func tags(_ run: Run) -> [String: String] {
        var tags = run.tags
        tags[Run.nameTag] = run.name ?? run.id
        tags["mlflow.user"] = run.user
        tags["mlflow.parentRunId"] = run.parent
        tags["mlflow.source.git.commit"] = tags["mlflow.source.git.commit"] ?? run.commit.hex
        tags["mlflow.source.type"] = tags["mlflow.source.type"] ?? "LOCAL"
        if tags["mlflow.source.name"] == nil, !run.command.isEmpty {
            tags["mlflow.source.name"] = run.command.joined(separator: " ")
        }
        return tags
    }

    private static func lines(_ points: [MetricPoint]) -> String {
        var text = ""
        for point in points {
            text += "\(point.time.microseconds / 1000) \(point.value) \(point.step)\n"
        }
        return text
    }

    /// Writes a file for each value, named by its key.
    private mutating func write(_ values: [String: String], below folder: FilePath, _ run: Run) throws {
        try Files.makeDirectory(folder)
        var taken: Set<String> = []
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let path = Self.path(key, besides: &taken) else {
                warnings.append("\(run.name ?? run.id): MLflow has no place for the key “\(key)”")
                continue
            }
            try replace(folder.appending(path.components), Array(value.utf8))
        }
    }

    /// A key as the path of a file: nil for one that would leave the folder, or be a folder and a file at once.
    private static func path(_ key: String, besides taken: inout Set<String>) -> FilePath? {
        let text = String(key.map { $0.isLetter || $0.isNumber || "_-. :/".contains($0) ? $0 : "_" })
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 }) else { return nil }
        let folders = (1..<max(1, parts.count)).map { parts[..<$0].joined(separator: "/") }
        guard !taken.contains(text), !taken.contains(text + "/"), !folders.contains(where: taken.contains) else {
            return nil
        }
        taken.insert(text)
        for folder in folders { taken.insert(folder + "/") }
        return FilePath(text)
    }

    private mutating func copy(_ items: [RunItem], below folder: FilePath, _ run: Run) throws {
        for item in items {
            let path = FilePath(item.path).lexicallyNormalized()
            guard path.isRelative, path.components.first?.kind == .regular,
                let place = places.first(where: { $0.contains(item.digest, size: item.size) })
            else {
                warnings.append("\(run.name ?? run.id): \(item.path) is not in this clone")
                continue
            }
            let target = folder.appending(path.components)
            if Files.status(target)?.size == item.size, try Digest.of(file: target).digest == item.digest { continue }
            try place.checkOut(item.digest, size: item.size, to: target, executable: false)
        }
    }

    private static func absolute(_ path: FilePath) -> String {
        if path.isAbsolute { return path.string }
        return (Files.realPath(".") ?? FilePath("/")).pushing(path).lexicallyNormalized().string
    }

    /// Keys and values; a JSON text is a YAML text.
    private static func yaml(_ members: [(String, JSON)]) -> [UInt8] {
        Array(members.map { "\($0.0): \($0.1)\n" }.joined().utf8)
    }

    /// Replaces a file that differs, in one step.
    ///
    /// It is not flushed: an export is tens of small files a run, and can be made again. The temporary file lies where MLflow
    /// does not take it for a metric.
    private func replace(_ path: FilePath, _ bytes: [UInt8]) throws {
        if Files.status(path)?.size == Int64(bytes.count), try Files.read(path) == bytes { return }
        try Files.makeDirectory(path.removingLastComponent())
        let temporary = root.appending(".trash").appending(".tmp-git-ml-\(UUIDv7())")
        do {
            let file = try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
            _ = try file.closeAfter { try file.writeAll(bytes) }
            try Files.rename(temporary, to: path)
        } catch let errno as Errno {
            Files.remove(temporary)
            throw FileFailure("write", path, errno)
        } catch {
            Files.remove(temporary)
            throw error
        }
    }
}
