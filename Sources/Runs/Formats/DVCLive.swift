public import Base
public import SystemPackage

/// Reads the folder that DVCLive writes: parameters, curves, and which plots and artifacts there are.
///
/// It is no run of its own: it adds to the run or commit that it stands with. Keys are those of `metrics.json` with
/// dots (`train.loss` for `plots/metrics/train/loss.tsv`), so that a metric has one name wherever it was read.
public enum DVCLive {
    /// Where DVCLive writes unless it is told otherwise, from the top of the work tree.
    public static let folderName = "dvclive"
    /// The last values, as a declared metrics file.
    public static let metricsPath = "dvclive/metrics.json"

    public struct Content: Sendable {
        public var params: [String: String] = [:]
        public var series: [String: [MetricPoint]] = [:]
        /// Paths of plots from the folder: images, and data other than metrics.
        public var plots: [String] = []
        /// Paths of artifacts from the folder.
        public var artifacts: [String] = []
        public var warnings: [String] = []
    }

    /// Whether a folder is one that DVCLive has written.
    public static func isFolder(_ folder: FilePath) -> Bool {
        Files.exists(folder.appending("plots").appending("metrics"))
            || (Files.exists(folder.appending("metrics.json")) && folder.lastComponent?.string == "dvclive")
    }

    /// Reads a folder; points without a time of their own get the latest that is in it, else `time`.
    public static func read(_ folder: FilePath, at time: Timestamp) throws -> Content {
        var content = Content()
        let name = folder.lastComponent?.string ?? "dvclive"
        content.params = Secrets.masked(ValueFile.params(values("params.yaml", in: folder, &content.warnings)))
        var tables: [String: TabSeparated] = [:]
        var walk = FolderWalk(budget: 20_000, depth: 8)
        try walk.files(below: folder.appending("plots")) { path, file, _ in
            guard path.hasPrefix("metrics/"), path.hasSuffix(".tsv") else {
                return content.plots.append("plots/" + path)
            }
            let key = path.dropFirst("metrics/".count).dropLast(".tsv".count).split(separator: "/").joined(
                separator: ".")
            let table = TabSeparated(try Files.readText(file) ?? "")
            tables[key] = table
            for line in table.badLines.prefix(3) {
                content.warnings.append("\(name)/plots/\(path):\(line): it holds no step and value")
            }
        }
        let time = tables.values.compactMap(\.latest).max() ?? time
        content.series = tables.mapValues { $0.points(at: time) }.filter { !$0.value.isEmpty }
        try walk.files(below: folder.appending("artifacts")) { path, _, _ in
            content.artifacts.append("artifacts/" + path)
        }
        var last = ValueFile.metrics(values("metrics.json", in: folder, &content.warnings))
        let step = last.removeValue(forKey: "step").flatMap { Int64(exactly: $0.rounded()) } ?? 0
        for (key, value) in last where content.series[key] == nil {
            content.series[key] = [MetricPoint(step: step, time: time, value: value)]
        }
        return content
    }

    private static func values(_ name: String, in folder: FilePath, _ warnings: inout [String]) -> [String: JSON] {
        do {
            guard let bytes = try Files.read(folder.appending(name)) else { return [:] }
            return try ValueFile.read(bytes, path: "\(folder.lastComponent?.string ?? "dvclive")/\(name)")
        } catch {
            warnings.append("\(error)")
            return [:]
        }
    }
}

/// A metric's file: a head line with `step`, the metric's name and perhaps `timestamp` (milliseconds), then numbers.
private struct TabSeparated {
    private(set) var badLines: [Int] = []
    private var rows: [(step: Int64, milliseconds: Int64?, value: Double)] = []

    init(_ text: String) {
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        let head = lines.first?.split(separator: "\t", omittingEmptySubsequences: false) ?? []
        let stepColumn = head.firstIndex(of: "step")
        let timeColumn = head.firstIndex(of: "timestamp")
        guard let valueColumn = head.indices.last(where: { $0 != stepColumn && $0 != timeColumn }) else { return }
        for (i, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
            func cell(_ column: Int?) -> Substring? { column.flatMap { $0 < cells.count ? cells[$0] : nil } }
            guard let value = cell(valueColumn).flatMap({ Double($0) }),
                let step = stepColumn == nil ? Int64(i - 1) : cell(stepColumn).flatMap({ Int64($0) })
            else {
                badLines.append(i + 1)
                continue
            }
            rows.append((step, cell(timeColumn).flatMap { Int64($0) }, value))
        }
    }

    var latest: Timestamp? { rows.compactMap(\.milliseconds).max().map { Timestamp(writtenMilliseconds: $0) } }

    func points(at time: Timestamp) -> [MetricPoint] {
        rows.map { row in
            MetricPoint(
                step: row.step, time: row.milliseconds.map { Timestamp(writtenMilliseconds: $0) } ?? time,
                value: row.value)
        }
    }
}
