internal import Base

/// One entry of `stages:`: what must hold before a model is in that stage, and where it goes.
public struct StageSettings: Sendable, Equatable {
    /// Where a stage is served.
    public struct Target: Sendable, Equatable {
        /// The kinds that this version can deploy to.
        public static let kinds = ["local", "command", "kubernetes", "podman"]

        public let kind: String
        /// The port that the stage is served on; 0: chosen once and kept.
        public var port: Int64 = 0
        public var host = "127.0.0.1"
        /// For the kind `command`.
        public var command: [String] = []
        /// For the kinds `kubernetes` and `podman`.
        public var workload = WorkloadSettings()
    }

    /// How a fresh deployment is judged.
    public struct Probe: Sendable, Equatable {
        public var path = "/v2/health/ready"
        /// A file with a golden request, from the top of the work tree.
        public var request: String?
        public var within = Duration.seconds(60)
    }

    /// How long, and how, what has been promoted is watched.
    public struct Watch: Sendable, Equatable {
        public var duration = Duration.seconds(1800)
        public var every = Duration.seconds(30)
        /// The share of probes that may fail, 0 to 1.
        public var errors = 0.0
        /// What a probe may take.
        public var latency: Duration?

        /// How many of all probes may fail.
        public var allowedFailures: Int { Int(errors * (duration.inSeconds / every.inSeconds)) }
    }

    public var gates: [Gate] = []
    /// Who may stage; nil: whoever may push.
    public var signers: SignerSettings?
    public var isStrict = false
    public var requiresReachable = true
    public var approvals: Int64 = 0
    public var evidence = Evidence.any
    /// For the command that `evidence: rerun` runs again.
    public var evidenceLimits = GateLimits()
    public var deploy: Target?
    public var probe = Probe()
    public var watch: Watch?
    public var nightly: String?
    public var track: String?
    public var notify: [NotifySettings] = []

    init() {}

    /// Decodes a stage, laid over another: what is given replaces, lists whole.
    init(_ node: YAMLNode, over common: StageSettings = StageSettings()) throws {
        self = common
        let fields = try node.fields([
            "gate", "signers", "strict", "require_reachable", "approvals", "evidence", "deploy", "probe", "watch",
            "nightly", "track", "notify",
        ])
        gates = try fields["gate"]?.list().map(Gate.init) ?? gates
        signers = try fields["signers"].map(SignerSettings.init) ?? signers
        isStrict = try fields["strict"]?.bool() ?? isStrict
        requiresReachable = try fields["require_reachable"]?.bool() ?? requiresReachable
        approvals = try fields["approvals"]?.int() ?? approvals
        if approvals < 0, let node = fields["approvals"] { throw node.failure("“approvals” is a number of people") }
        if let node = fields["evidence"] { (evidence, evidenceLimits) = try Evidence.read(node) }
        deploy = try fields["deploy"].map(Self.target) ?? deploy
        probe = try fields["probe"].map(Self.probe) ?? probe
        watch = try fields["watch"].map(Self.watch) ?? watch
        nightly = try fields["nightly"]?.text() ?? nightly
        track = try fields["track"]?.text() ?? track
        notify = try fields["notify"]?.list().map(NotifySettings.init) ?? notify
    }

    private static func target(_ node: YAMLNode) throws -> Target {
        let fields = try node.fields(["to", "port", "host", "run"] + WorkloadSettings.keys)
        guard let kind = fields["to"] else {
            throw node.failure("“\(node.path)” needs to: \(Target.kinds.joined(separator: ", "))")
        }
        var target = Target(kind: try kind.text())
        target.port = try fields["port"]?.int() ?? 0
        target.host = try fields["host"]?.text() ?? target.host
        target.command = try fields["run"]?.texts() ?? []
        target.workload = try WorkloadSettings(fields)
        guard (0...65_535).contains(target.port) else { throw node.failure("a port is between 0 and 65535") }
        return target
    }

    private static func probe(_ node: YAMLNode) throws -> Probe {
        let fields = try node.fields(["path", "request", "within"])
        var probe = Probe()
        if let path = fields["path"] {
            probe.path = try path.text()
            guard probe.path.hasPrefix("/") else { throw path.failure("a path to probe begins with /") }
        }
        probe.request = try fields["request"]?.relativePath()
        probe.within = try fields["within"]?.duration() ?? probe.within
        return probe
    }

    private static func watch(_ node: YAMLNode) throws -> Watch {
        let fields = try node.fields(["for", "every", "errors", "latency"])
        var watch = Watch()
        watch.duration = try fields["for"]?.duration() ?? watch.duration
        watch.every = try fields["every"]?.duration() ?? watch.every
        watch.latency = try fields["latency"]?.duration()
        if let errors = fields["errors"] {
            let text = try errors.text()
            guard text.hasSuffix("%"), let percent = Double(text.dropLast()), (0...100).contains(percent) else {
                throw errors.failure("“errors” is a share such as 1%")
            }
            watch.errors = percent / 100
        }
        guard watch.every > .zero, watch.duration >= watch.every else {
            throw node.failure("“every” is longer than nothing, and not longer than “for”")
        }
        return watch
    }

    /// What this policy asks for that this version cannot check; nothing is delivered when there is anything.
    public var unsupported: [String] {
        var keys: [String] = []
        if nightly != nil { keys.append("nightly") }
        if track != nil { keys.append("track") }
        if let kind = deploy?.kind, !Target.kinds.contains(kind) { keys.append("deploy: to: \(kind)") }
        return keys
    }
}
