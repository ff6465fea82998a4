internal import Base
public import GitKit
public import SystemPackage

/// Reads TensorBoard's event files: all those of one folder are one run.
///
/// Scalars become metrics under their tags, the hparams plugin's values parameters. Other summaries are passed over.
public enum TensorBoardEvents {
    /// Whether a file of that name holds events.
    public static func isEventFile(_ name: String) -> Bool { name.contains(".tfevents.") }

    /// The folders that hold event files, at most `depth` below a folder, with their paths from there (`` for itself).
    public static func folders(below folder: FilePath, depth: Int = 8, budget: Int = 100_000) throws -> [String] {
        var found: [String] = []
        var walk = FolderWalk(budget: budget, depth: depth)
        try walk.files(below: folder) { path, file, _ in
            guard isEventFile(file.lastComponent?.string ?? "") else { return }
            let parent = path.split(separator: "/").dropLast().joined(separator: "/")
            if !found.contains(parent) { found.append(parent) }
        }
        return found
    }

    /// Reads the run in a folder; `label` is the folder's path as records name it, from the top of the work tree.
    public static func read(_ folder: FilePath, label: String, code: ObjectID) throws -> FoundContent {
        var content = FoundContent()
        var session = Session()
        for name in try Files.list(folder) where isEventFile(name) {
            let file = folder.appending(name)
            guard Files.status(file)?.kind == .file else { continue }
            content.attempt("\(label)/\(name)") { content in
                var frames = RecordFrames()
                try Files.readPieces(of: file) { frames.feed($0) { session.take($0) } }
                if let damage = frames.damage { content.warnings.append("\(label)/\(name): \(damage)") }
            }
        }
        if session.unread > 0 { content.warnings.append("\(label): \(session.unread) event(s) cannot be read") }
        if let record = session.record(label: label, code: code) { content.records.append(record) }
        return content
    }

    /// What the events of a folder add up to.
    private struct Session {
        var unread = 0
        private var first: (time: Timestamp, digest: Digest)?
        private var last = Timestamp(microseconds: 0)
        private var scalars: Set<String> = []
        private var series: [String: [MetricPoint]] = [:]
        private var params: [String: String] = [:]
        private var status: RunRecord.End.Status?

        mutating func take(_ bytes: ArraySlice<UInt8>) {
            do throws(ProtobufFailure) {
                try take(try TensorBoardEvent(bytes), bytes)
            } catch {
                unread += 1
            }
        }

        private mutating func take(_ event: TensorBoardEvent, _ bytes: ArraySlice<UInt8>) throws(ProtobufFailure) {
            let time = Timestamp(writtenSeconds: event.time)
            if first == nil { first = (time, Digest.of(bytes)) }
            last = max(last, time)
            if event.isRestart {
                series = series.mapValues { $0.filter { $0.step < event.step } }
            }
            for value in event.values {
                if value.plugin == "hparams" {
                    if let start = try HyperParameters.start(value.pluginContent) { params.merge(start) { $1 } }
                    status = try HyperParameters.end(value.pluginContent) ?? status
                    continue
                }
                if value.plugin == "scalars" { scalars.insert(value.tag) }
                // Only the first event of a tag has to name its plugin.
                guard let number = value.simple ?? (scalars.contains(value.tag) ? value.tensor : nil) else { continue }
                series[value.tag, default: []].append(MetricPoint(step: event.step, time: time, value: number))
            }
        }

        func record(label: String, code: ObjectID) -> RunRecord? {
            guard let first, !series.isEmpty || !params.isEmpty else { return nil }
            let id = UUIDv7(at: first.time, identifying: "tensorboard\n\(label)\n\(first.digest.hex)")
            var record = RunRecord(run: id, started: first.time, code: code, source: .imported)
            record.name = label.split(separator: "/").last.map(String.init)
            record.params = Secrets.masked(params)
            record.series = series.filter { !$0.value.isEmpty }
            record.tags = ["tensorboard.folder": label]
            record.end = RunRecord.End(status ?? .finished, seconds: max(0, last.seconds(since: first.time)))
            record.observed = last
            return record
        }
    }
}
