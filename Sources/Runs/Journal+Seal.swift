internal import Base
internal import SystemPackage

extension Journal {
    /// How much of a log is kept.
    static let largestLog = 64 << 20

    /// What only the one who ends a run knows of it.
    struct Closing: Sendable {
        var params: [String: String] = [:]
        /// Metrics that the run left in files; those that it has logged itself go before.
        var series: [String: [MetricPoint]] = [:]
        var outputs: [RunItem] = []
        var end: RunRecord.End?
    }

    /// Ends a run: puts everything it consists of into its file and takes the folder away.
    ///
    /// Without an end the run counts as `killed`: its process died without a word. A second call changes nothing; a crash
    /// in between leaves what was before, or all of it. Returns its lines: once this is done another process may fold the
    /// run in at any moment, and its file is gone.
    @discardableResult
    func seal(_ run: String, _ closing: Closing = Closing()) throws -> [String] {
        guard var lines = try lines(of: run), let id = UUIDv7(run) else {
            try Files.removeTree(folder(of: run))
            return []
        }
        if !Self.hasEnd(lines) {
            let gathered = try gather(run, lines)
            var events = RunEvents(run: id, at: Self.next(after: lines))
            events.params(Secrets.masked(closing.params))
            try events.curves(
                closing.series.merging(gathered.series) { $1 }, system: gathered.system, store: kept)
            var outputs = closing.outputs
            if let log = gathered.log {
                outputs.append(
                    RunItem(path: "output.log", digest: try kept.keep(log), size: Int64(log.count), role: .log))
            }
            events.outputs(outputs)
            let seconds = Double(max(0, gathered.lastSign.microseconds - gathered.start.microseconds)) / 1e6
            events.end(closing.end ?? RunRecord.End(.killed, seconds: seconds))
            lines += events.lines
            try Files.replace(file(of: run), with: Self.text(lines))
        }
        try Files.removeTree(folder(of: run))
        return lines
    }

    private struct Gathered {
        var series: [String: [MetricPoint]] = [:]
        var system: [String: [MetricPoint]] = [:]
        var log: [UInt8]?
        var start: Timestamp
        /// When the run was last seen doing something.
        var lastSign: Timestamp
    }

    private func gather(_ run: String, _ lines: [String]) throws -> Gathered {
        let folder = folder(of: run)
        let start = lines.first.flatMap { (try? JSON.parse($0))?["t"]?.string }.flatMap { Timestamp($0) } ?? .now()
        var gathered = Gathered(start: start, lastSign: start)
        gathered.series = try series(of: run)
        gathered.system = try systemSeries(of: run)
        for name in ["metrics.jsonl", "system.jsonl", "log"] {
            if let status = Files.status(folder.appending(name)) {
                gathered.lastSign = max(gathered.lastSign, status.modified)
            }
        }
        if let log = try Files.read(folder.appending("log")), !log.isEmpty { gathered.log = log }
        return gathered
    }

    /// The metrics that the script of a run has written so far.
    func series(of run: String) throws -> [String: [MetricPoint]] {
        let folder = folder(of: run)
        return try curves(in: folder.appending("metrics.jsonl"), clock: folder.appending("metrics.clock"))
    }

    /// What the processes of a run have used so far.
    public func systemSeries(of run: String) throws -> [String: [MetricPoint]] {
        try curves(in: folder(of: run).appending("system.jsonl"), clock: nil)
    }

    private func curves(in file: FilePath, clock: FilePath?) throws -> [String: [MetricPoint]] {
        guard let bytes = try Files.read(file), let status = Files.status(file) else { return [:] }
        let times = GrowthClock(try clock.flatMap { try Files.readText($0) }, fallback: status.modified)
        var lines = MetricLines()
        lines.add(bytes) { times.time(of: $0) }
        return lines.series
    }

    /// Whether the run has ended and was not taken up again since.
    static func hasEnd(_ lines: [String]) -> Bool {
        let last = lines.last { $0.contains(#","ev":"end","#) || $0.contains(#","ev":"resume"}"#) }
        return last?.contains(#","ev":"end","#) ?? false
    }
}
