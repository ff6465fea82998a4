public import Base
public import GitKit
public import Pointers
public import SystemPackage

/// A whole run on its way into the log: what a recorder, a journal or an importer knows of it.
public struct RunRecord: Sendable {
    public enum Source: String, Sendable, CaseIterable {
        case cli, commit, mlflow, slurm, kubernetes
        case imported = "import"
    }

    /// How a run ended.
    public struct End: Sendable, Equatable {
        public enum Status: String, Sendable, CaseIterable { case finished, failed, killed }
        public var status: Status
        /// How long it took; nil when nobody measured.
        public var seconds: Double?
        public var exit: Int64?
        /// The most memory that its processes held, in bytes; nil when nobody measured.
        public var peakMemory: Int64?

        public init(_ status: Status, seconds: Double? = nil, exit: Int64? = nil, peakMemory: Int64? = nil) {
            self.status = status
            self.seconds = seconds
            self.exit = exit
            self.peakMemory = peakMemory
        }
    }

    public var run: UUIDv7
    public var started: Timestamp
    /// The commit whose tree is the code.
    public var code: ObjectID
    public var source: Source
    public var name: String?
    public var experiment: String?
    public var user: String?
    public var host: String?
    public var command: [String] = []
    public var dirty = false
    /// Paths that differ from ``code`` and could not be kept: too large, or with a secret in them.
    public var leftOut: [String] = []
    /// The id of the run that this one is part of.
    public var parent: String?
    public var environment: JSON = ["python": nil, "lock": nil, "cpu": nil, "gpu": []]
    public var params: [String: String] = [:]
    /// The curve of each metric; one value is a curve too.
    public var series: [String: [MetricPoint]] = [:]
    /// Curves that are not metrics of the model, such as `system/cpu_utilization_percentage`: kept, not summed up.
    public var systemSeries: [String: [MetricPoint]] = [:]
    public var tags: [String: String] = [:]
    public var inputs: [RunItem] = []
    public var outputs: [RunItem] = []
    /// Nil while it goes on.
    public var end: End?
    /// When the newest of it was written; nil: directly after the start.
    ///
    /// A run that is found again after it grew has later lines than the first time, and they win.
    public var observed: Timestamp?
    /// How many points at the beginning of a curve are recorded already, for a run that is found again after it grew.
    public var recorded: [String: Int] = [:]

    public init(run: UUIDv7 = UUIDv7(), started: Timestamp = .now(), code: ObjectID, source: Source) {
        self.run = run
        self.started = started
        self.code = code
        self.source = source
    }

    /// The start line's members behind `ev`, in the order of the format.
    var startMembers: [JSON.Member] {
        [
            JSON.Member("name", .optional(name)), JSON.Member("experiment", .optional(experiment)),
            JSON.Member("user", .optional(user)), JSON.Member("host", .optional(host)),
            JSON.Member("cmd", .array(command.map { .string($0) })), JSON.Member("code", .string(code.hex)),
            JSON.Member("dirty", .bool(dirty)), JSON.Member("left_out", .array(leftOut.map { .string($0) })),
            JSON.Member("parent", .optional(parent)), JSON.Member("source", .string(source.rawValue)),
            JSON.Member("env", environment),
        ]
    }

    /// The run's event lines; curves that are too long for a note go into `store` (``LocalObjects``).
    ///
    /// The same record gives the same lines again.
    public func lines(store: any KeptContent) throws -> [String] {
        var events = RunEvents(run: run, at: started)
        events.add("start", startMembers)
        if let observed { events.advance(to: observed) }
        events.params(params)
        try events.curves(series, system: systemSeries, recorded: recorded, store: store)
        events.tags(tags)
        events.inputs(inputs)
        events.outputs(outputs)
        if let end { events.end(end, at: end.seconds.map { started.advanced(bySeconds: $0) }) }
        return events.lines
    }
}

/// Where content goes that no pointer file names: ``LocalObjects``, or a stand-in for tests.
public protocol KeptContent: Sendable {
    /// Takes bytes in durably, before anything names them.
    func keep(_ bytes: [UInt8]) throws -> Digest
    /// Takes a file's bytes in, piece by piece.
    func keep(file: FilePath) throws -> (digest: Digest, size: Int64)
}

extension LocalObjects: KeptContent {}
