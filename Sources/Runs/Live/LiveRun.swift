internal import Base
internal import Synchronization
internal import SystemPackage

/// A run in the journal as one sees it who looks again and again while it grows: only what is new is read.
public final class LiveRun: Sendable {
    public let id: String
    private let journal: Journal
    private let state = Mutex(State())

    private struct State {
        var run: Run?
        var events: FileMark?
        var metrics = MetricLines()
        var mark: FileMark?
        var read: Int64 = 0
        /// By key, of so many points.
        var summaries: [String: (count: Int, summary: MetricSummary)] = [:]
    }

    /// Which file it was, and how long.
    private struct FileMark: Equatable {
        let inode: UInt64
        let size: Int64
        let modified: Timestamp

        init?(_ path: FilePath) {
            guard let status = Files.status(path) else { return nil }
            (inode, size, modified) = (status.inode, status.size, status.modified)
        }
    }

    public init(_ id: String, in journal: Journal) {
        self.id = id
        self.journal = journal
    }

    /// The run as it is now; nil when it is not in the journal.
    public func run() throws -> Run? {
        try state.withLock { state in
            try update(&state)
            guard var run = state.run else { return nil }
            for (key, points) in state.metrics.series {
                if let known = state.summaries[key], known.count == points.count {
                    run.metrics[key] = known.summary
                } else if let summary = MetricSummary(points) {
                    state.summaries[key] = (points.count, summary)
                    run.metrics[key] = summary
                }
            }
            return run
        }
    }

    /// The same without the metrics that do not stand in event lines yet: its cost does not grow with them.
    public func outline() throws -> Run? {
        try state.withLock { state in
            try updateEvents(&state)
            return state.run
        }
    }

    /// The points that do not stand in event lines yet.
    public func points() throws -> [String: [MetricPoint]] {
        try state.withLock { state in
            try update(&state)
            return state.metrics.series
        }
    }

    /// Whether somebody may still log to it.
    public var isOpen: Bool { Files.exists(metricsFile) }

    private var metricsFile: FilePath { journal.folder(of: id).appending("metrics.jsonl") }

    private func updateEvents(_ state: inout State) throws {
        let events = FileMark(journal.file(of: id))
        if events == nil || events != state.events {
            let lines = try journal.lines(of: id) ?? []
            state.run = Journal.code(lines).flatMap { Run.fold(lines, on: $0).first { $0.id == id } }
            state.events = state.run == nil ? nil : events
        }
    }

    private func update(_ state: inout State) throws {
        try updateEvents(&state)
        guard let mark = FileMark(metricsFile) else {
            (state.metrics, state.summaries, state.mark, state.read) = (MetricLines(), [:], nil, 0)
            return
        }
        if mark == state.mark { return }
        if mark.inode != state.mark?.inode || mark.size < state.read {
            (state.metrics, state.summaries, state.read) = (MetricLines(), [:], 0)
        }
        let bytes = try Files.read(metricsFile, from: state.read)
        let whole = bytes.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        let time = mark.modified
        state.metrics.add(Array(bytes[..<whole])) { _ in time }
        state.read += Int64(whole)
        state.mark = mark
    }
}
