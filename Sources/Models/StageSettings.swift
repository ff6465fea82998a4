public import Base

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

    public var gates: [Gate] = []
    /// Who may stage; nil: whoever may push.
    public var signers: SignerSettings?
    public var isStrict = false
    public var requiresReachable = true
    public var approvals: Int64 = 0
    public var evidence = Evidence.any
    public var deploy: Target?
    public var probe = Probe()
    public var watch: JSON?
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
        evidence = try fields["evidence"]?.choice(Evidence.self) ?? evidence
        deploy = try fields["deploy"].map(Self.target) ?? deploy
        probe = try fields["probe"].map(Self.probe) ?? probe
        watch =
            try fields["watch"].map { try $0.fields(["for", "every", "errors", "latency"]).isEmpty ? .null : $0.json }
            ?? watch
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

    /// What this policy asks for that this version cannot check; nothing is delivered when there is anything.
    public var unsupported: [String] {
        var keys: [String] = []
        if watch != nil { keys.append("watch") }
        if nightly != nil { keys.append("nightly") }
        if track != nil { keys.append("track") }
        if let kind = deploy?.kind, !Target.kinds.contains(kind) { keys.append("deploy: to: \(kind)") }
        return keys
    }
}
