public import Base
internal import GitKit
public import Images
public import Models

/// What the templates of a deployment are filled with.
public struct WorkloadValues: Sendable {
    /// Which pods are meant: they are told apart by the label `git-ml.dev/track`.
    enum Track: Equatable {
        case stable, canary
        /// The pods of one version; its name is a part of the digest.
        case version
    }

    public let model: String
    public let stage: String
    public let version: String
    /// The whole commit id.
    public let revision: String
    public let tag: String
    /// By digest: `ghcr.io/acme/churn@sha256:…`.
    public let image: String
    /// Of the image's manifest: `sha256:…`.
    public let digest: String
    public let settings: StageSettings

    public init(
        model: String, stage: String, version: String, revision: String, tag: String, image: String, digest: String,
        settings: StageSettings
    ) {
        self.model = model
        self.stage = stage
        self.version = version
        self.revision = revision
        self.tag = tag
        self.image = image
        self.digest = digest
        self.settings = settings
    }

    /// What a delivery deploys.
    ///
    /// - Throws: ``Refusal`` where no other machine could get the image.
    init(_ deployment: Deployment) throws {
        guard let image = deployment.image.pinned(to: deployment.digest) else {
            throw Refusal(
                "a cluster cannot get an image from \(deployment.image)",
                hints: ["name a registry in ml.yaml: `registry: ghcr.io/acme`"])
        }
        self.init(
            model: "\(deployment.model)", stage: deployment.stage, version: deployment.version,
            revision: deployment.commit.hex, tag: deployment.tag, image: image, digest: "\(deployment.digest)",
            settings: deployment.settings)
    }

    public var name: String { WorkloadName.of(model, stage) }
    var workload: WorkloadSettings { settings.deploy?.workload ?? WorkloadSettings() }

    /// The value of the label `git-ml.dev/track`.
    func label(_ track: Track) -> String {
        switch track {
        case .stable: "stable"
        case .canary: "canary"
        case .version: "v" + digest.split(separator: ":").joined().suffix(64).prefix(10)
        }
    }

    /// The name of the Deployment.
    func deployment(_ track: Track) -> String { track == .stable ? name : "\(name)-\(label(track))" }

    /// `hostPort` is for podman, where the pod's port is one of the machine.
    func values(_ track: Track, hostPort: Int? = nil, hostNetwork: Bool = false) -> [String: Any] {
        let workload = workload
        let within = Int(settings.probe.within.inSeconds)
        let containerPort = hostNetwork ? hostPort ?? 8080 : 8080
        let isScaled = track != .canary && workload.maxReplicas.map { $0 > workload.replicas } == true
        var values: [String: Any] = [
            "name": name, "model": model, "stage": stage, "tag": tag, "version": version, "revision": revision,
            "digest": digest, "image": image, "workload": deployment(track), "track": label(track),
            "replicas": track == .canary ? workload.canaryReplicas : workload.replicas, "autoscaled": isScaled,
            "max_replicas": workload.maxReplicas ?? workload.replicas,
            "blue_green": workload.strategy == .blueGreen, "deadline": max(60, within),
            "startup_checks": max(20, (within + 2) / 3), "ready_path": settings.probe.path,
            "container_port": containerPort, "port": settings.deploy.map { $0.port > 0 ? $0.port : 80 } ?? 80,
            "cpu": workload.cpu, "memory": workload.memory,
            "memory_limit": workload.memoryLimit ?? Self.doubled(workload.memory),
            "env": Self.pairs(workload.environment), "annotations": Self.pairs(workload.annotations),
            "node_selector": Self.pairs(workload.nodeSelector), "has_node_selector": !workload.nodeSelector.isEmpty,
            "host_network": hostNetwork,
        ]
        if workload.gpu > 0 { values["gpu"] = workload.gpu }
        values["host_port"] = hostPort
        values["namespace"] = workload.namespace
        values["secret"] = workload.secret
        values["pull_secret"] = workload.pullSecret
        values["service_account"] = workload.serviceAccount
        return values
    }

    /// In the order of their keys, so that the same settings give the same bytes.
    private static func pairs(_ values: [String: String]) -> [[String: String]] {
        values.sorted { $0.key < $1.key }.map { ["key": $0.key, "value": $0.value] }
    }

    /// The most memory, in bytes.
    var memoryInBytes: Int64 {
        let amount = workload.memoryLimit ?? Self.doubled(workload.memory)
        let digits = amount.prefix { $0.isNumber || $0 == "." }
        let units = [
            "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 0x1p10, "Mi": 0x1p20, "Gi": 0x1p30,
            "Ti": 0x1p40,
        ]
        let bytes = (Double(digits) ?? 0) * (units[String(amount.dropFirst(digits.count))] ?? 1)
        return Int64(min(max(bytes, 0), 0x1p60))
    }

    static func doubled(_ amount: String) -> String {
        let digits = amount.prefix { $0.isNumber || $0 == "." }
        let value = (Double(digits) ?? 0) * 2
        let text = value == value.rounded() ? String(Int64(value)) : String(value)
        return text + amount.dropFirst(digits.count)
    }
}

extension DeployTemplate {
    /// The manifest with which a version is served for good.
    ///
    /// The bytes follow from the values alone.
    public func manifest(_ values: WorkloadValues) throws -> Manifest {
        try render(
            values.values(values.workload.strategy == .blueGreen ? .version : .stable), name: values.name)
    }

    /// The Deployment of a canary beside it.
    func canary(_ values: WorkloadValues) throws -> Manifest {
        try render(values.values(.canary), name: values.name).only("Deployment")
    }
}

extension ImageReference {
    /// The image by its digest alone, in its registry; nil where it is not in one.
    public func pinned(to digest: Digest) -> String? {
        guard case .registry(let name, _, _) = self else { return nil }
        return "\(name)@\(digest)"
    }
}
