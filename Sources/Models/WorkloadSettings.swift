internal import Base

/// What a stage's deployment asks of a cluster, or of podman: the keys of `deploy:` beside `to:`.
public struct WorkloadSettings: Sendable, Equatable {
    /// How a new version takes the place of the old one.
    public enum Strategy: String, CaseIterable, Sendable {
        /// Pod by pod, under one name.
        case rolling
        /// A few pods of the new version answer beside the old ones first.
        case canary
        /// All pods of the new version start beside the old ones; then the Service turns to them at once.
        case blueGreen = "blue-green"
    }

    /// The context of the kubeconfig; nil: the current one.
    public var context: String?
    public var namespace: String?
    /// A folder below `templates/deploy`.
    public var template = "kubernetes"
    public var replicas: Int64 = 1
    /// With more than `replicas`, an autoscaler moves between the two.
    public var maxReplicas: Int64?
    public var strategy = Strategy.rolling
    /// The share of the pods that a canary gets, in percent.
    public var canary: Int64 = 25
    public var cpu = "250m"
    public var memory = "512Mi"
    /// The most memory; nil: twice `memory`.
    public var memoryLimit: String?
    public var gpu: Int64 = 0
    public var environment: [String: String] = [:]
    /// A Secret of the cluster, whose keys become environment variables.
    public var secret: String?
    public var pullSecret: String?
    public var serviceAccount: String?
    public var nodeSelector: [String: String] = [:]
    public var annotations: [String: String] = [:]

    static let keys = [
        "context", "namespace", "template", "replicas", "max_replicas", "strategy", "canary", "cpu", "memory",
        "memory_limit", "gpu", "env", "secret", "pull_secret", "service_account", "node_selector", "annotations",
    ]

    public init() {}

    init(_ fields: [String: YAMLNode]) throws {
        context = try fields["context"]?.text()
        namespace = try fields["namespace"]?.kubernetesName()
        template = try fields["template"]?.relativePath() ?? template
        replicas = try fields["replicas"]?.count(1...1000) ?? replicas
        maxReplicas = try fields["max_replicas"]?.count(replicas...1000)
        strategy = try fields["strategy"]?.choice(Strategy.self) ?? strategy
        canary = try fields["canary"]?.count(1...90) ?? canary
        cpu = try fields["cpu"]?.quantity() ?? cpu
        memory = try fields["memory"]?.quantity() ?? memory
        memoryLimit = try fields["memory_limit"]?.quantity()
        gpu = try fields["gpu"]?.count(0...64) ?? gpu
        environment = try fields["env"]?.dictionary() ?? [:]
        secret = try fields["secret"]?.kubernetesName()
        pullSecret = try fields["pull_secret"]?.kubernetesName()
        serviceAccount = try fields["service_account"]?.kubernetesName()
        nodeSelector = try fields["node_selector"]?.dictionary() ?? [:]
        annotations = try fields["annotations"]?.dictionary() ?? [:]
        for entry in try fields["annotations"]?.entries() ?? [] where entry.key.hasPrefix("git-ml.dev/") {
            throw entry.value.failure("annotations below git-ml.dev/ are git-ml's own")
        }
    }

    /// The pods of a canary: their share of all pods, rounded, and at least one.
    public var canaryReplicas: Int64 { max(1, (replicas * canary + (100 - canary) / 2) / (100 - canary)) }
}

extension YAMLNode {
    fileprivate func count(_ range: ClosedRange<Int64>) throws -> Int64 {
        let value = try int()
        guard range.contains(value) else {
            throw failure("“\(path)” is between \(range.lowerBound) and \(range.upperBound)")
        }
        return value
    }

    /// A name of an object: an RFC 1123 name, so that it is no option of kubectl's either.
    fileprivate func kubernetesName() throws -> String {
        let name = try text()
        let units = Array(name.utf8)
        let isPlain = units.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || "-.".utf8.contains($0) }
        let edges = [units.first, units.last].allSatisfy { $0.map { $0 != 0x2d && $0 != 0x2e } ?? false }
        guard isPlain, edges, units.count <= 253 else {
            throw failure("“\(name)” is no name in Kubernetes: lower-case letters, digits, - and . only")
        }
        return name
    }

    /// An amount as Kubernetes writes it: `500m`, `2`, `1.5`, `4Gi`.
    fileprivate func quantity() throws -> String {
        let amount = try text()
        let digits = amount.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let units = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]
        guard Double(digits) != nil, units.contains(String(amount.dropFirst(digits.count))) else {
            throw failure("“\(amount)” is no amount such as 500m, 2 or 4Gi")
        }
        return amount
    }

    fileprivate func dictionary() throws -> [String: String] {
        var values: [String: String] = [:]
        for entry in try entries() { values[entry.key] = try entry.value.text() }
        return values
    }
}
