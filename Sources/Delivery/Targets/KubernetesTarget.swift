internal import Base
internal import GitKit
internal import Images
internal import Models

/// `deploy: {to: kubernetes}`: objects of a cluster, applied on the server's side.
///
/// Only objects that carry our label, for this model and stage, are ever changed or deleted. What is applied is kept in the
/// cluster (``ReleaseMemory``), so that a rollback applies the bytes of before once more.
struct KubernetesTarget: DeployTarget {
    let context: DeployTargets.Context
    let settings: WorkloadSettings
    let kubectl: Kubectl
    let name: String

    init(
        settings: StageSettings.Target, _ context: DeployTargets.Context, environment: [String: String?] = [:]
    ) {
        self.context = context
        self.settings = settings.workload
        kubectl = Kubectl(
            context: settings.workload.context, namespace: settings.workload.namespace, environment: environment)
        name = WorkloadName.of("\(context.model)", context.stage)
    }

    var description: String { kubectl.description }

    // MARK: - Rendering

    func render(_ deployment: Deployment) throws -> Rendering {
        let values = try WorkloadValues(deployment)
        let template = try DeployTemplate(
            named: settings.template, in: context.repository, at: context.policy, templates: context.places.templates)
        let manifest = try template.manifest(values)
        guard settings.strategy == .rolling || !manifest.only("Deployment").objects.isEmpty else {
            throw Refusal(
                "the template \(settings.template) has no Deployment: the strategy \(settings.strategy.rawValue) needs one"
            )
        }
        var files = [Rendering.File(name: "\(name).yaml", text: manifest.text)]
        if settings.strategy == .canary {
            files.append(.init(name: "\(name)-canary.yaml", text: try template.canary(values).text))
        }
        return Rendering(files)
    }

    // MARK: - Deploying

    func deploy(_ deployment: Deployment, _ rendering: Rendering) async throws {
        guard let file = rendering.files.first else { throw Refusal("there is no manifest to apply") }
        let manifest = try Manifest(file.text, name: name, file: file.name)
        let canary = try rendering.files.dropFirst().first.map { try Manifest($0.text, name: name, file: $0.name) }
        try await requireOwn(manifest)
        if let canary { try await requireOwn(canary) }
        var memory = try await memory()
        memory.candidate = .init(tag: deployment.tag, text: file.text)
        try await remember(memory)
        if memory.live == nil || settings.strategy == .rolling {
            try await kubectl.apply(manifest.text)
        } else {
            try await kubectl.apply((canary ?? manifest.only("Deployment")).text)
        }
    }

    func wait(_ deployment: Deployment, within limit: Duration) async throws {
        let memory = try await memory()
        guard let entry = memory.candidate ?? memory.live, entry.tag == deployment.tag else {
            throw ProbeFailure("\(deployment.tag) is not at \(description) any more")
        }
        if try await isBeside(memory), settings.strategy == .canary {
            return try await rollout(["deployment.apps/\(name)-canary"], within: limit)
        }
        try await rollout(Manifest(entry.text, name: name), within: limit)
        if settings.strategy == .rolling { try await onlyPods(of: deployment.commit, within: limit) }
    }

    func withAddress<T: Sendable>(
        of part: DeploymentPart, _ deployment: Deployment, _ body: @Sendable (ProbeAddress?) async throws -> T
    ) async throws -> T {
        let memory = try await memory()
        let entry = part == .candidate ? memory.candidate ?? memory.live : memory.live
        guard let entry else { return try await body(nil) }
        let manifest = try Manifest(entry.text, name: name)
        var (resource, port) = (
            "service/\(name)", Int(deployment.settings.deploy.map { $0.port > 0 ? $0.port : 80 } ?? 80)
        )
        if manifest.only("Service").objects.isEmpty {
            resource = "service/\(name)-predictor"  // what KServe makes for an InferenceService
        }
        if part == .candidate, try await isBeside(memory), let own = manifest.only("Deployment").objects.first {
            let other = settings.strategy == .canary ? "\(name)-canary" : own.name
            (resource, port) = ("deployment/\(other)", own.port ?? 8080)
        }
        return try await kubectl.forward(to: resource, port: port) { try await body(ProbeAddress(port: $0)) }
    }

    func promote(_ deployment: Deployment) async throws -> String {
        var memory = try await memory()
        if let candidate = memory.candidate, candidate.tag == deployment.tag {
            let manifest = try Manifest(candidate.text, name: name)
            if try await isBeside(memory) {
                try await requireOwn(manifest)
                try await kubectl.apply(manifest.text)
                try await rollout(manifest, within: deployment.settings.probe.within)
            }
            try await deleteOthers(than: manifest, besides: memory)
            memory.promote()
            try await remember(memory)
        } else if memory.live?.tag != deployment.tag {
            throw ProbeFailure("\(deployment.tag) is not at \(description) any more")
        }
        return address(deployment.settings)
    }

    func rollBack(_ deployment: Deployment) async throws -> LiveDeployment? {
        var memory = try await memory()
        let back: ReleaseMemory.Entry?
        if memory.candidate?.tag == deployment.tag {
            back = memory.live
        } else if memory.live?.tag == deployment.tag, let previous = memory.previous {
            back = previous
        } else {
            return try await live()
        }
        let manifest = try back.map { try Manifest($0.text, name: name) } ?? Manifest(name: name, objects: [])
        if !manifest.objects.isEmpty {
            try await requireOwn(manifest)
            // Pods first: the Service turns to them when they are there.
            try await kubectl.apply(manifest.only("Deployment").text, force: true)
            try await rollout(manifest.only("Deployment"), within: deployment.settings.probe.within)
            try await kubectl.apply(manifest.text, force: true)
        }
        try await deleteOthers(than: manifest, besides: memory)
        if memory.candidate?.tag != deployment.tag { memory.previous = nil }
        (memory.live, memory.candidate) = (back, nil)
        try await remember(memory)
        return try await live()
    }

    // MARK: - Looking

    func live() async throws -> LiveDeployment? {
        let objects = try await kubectl.objects([
            "deployments.apps,services", "--selector=\(Manifest.label)=\(name)",
        ])
        let service = objects.first { $0["kind"]?.string == "Service" && $0["metadata"]?["name"]?.string == name }
        let track = service?["spec"]?["selector"]?["git-ml.dev/track"]?.string ?? "stable"
        let found = objects.first {
            $0["kind"]?.string == "Deployment"
                && $0["spec"]?["selector"]?["matchLabels"]?["git-ml.dev/track"]?.string == track
        }
        guard let found, let image = found.image, let mark = image.lastIndex(of: "@"),
            let digest = Digest(String(image[image.index(after: mark)...]))
        else { return nil }
        let notes = found["metadata"]?["annotations"]
        let (generation, seen) = (found["metadata"]?["generation"]?.int, found["status"]?["observedGeneration"]?.int)
        let isRunning = (found["status"]?["availableReplicas"]?.int ?? 0) >= 1 && (seen ?? 0) >= (generation ?? 0)
        let port = service?["spec"]?["ports"]?.array?.first?["port"]?.int
        return LiveDeployment(
            digest: digest, version: notes?["git-ml.dev/version"]?.string ?? "",
            commit: notes?["git-ml.dev/revision"]?.string.flatMap { ObjectID($0) },
            address: port.map { address(port: $0) }, isRunning: isRunning && service != nil)
    }

    private func address(_ settings: StageSettings) -> String {
        address(port: settings.deploy.map { $0.port > 0 ? $0.port : 80 } ?? 80)
    }

    private func address(port: Int64) -> String {
        "http://\(name).\(settings.namespace ?? "default").svc" + (port == 80 ? "" : ":\(port)")
    }

    /// Whether the candidate stands beside what is live, rather than in its place.
    private func isBeside(_ memory: ReleaseMemory) async throws -> Bool {
        memory.live != nil && memory.candidate != nil && settings.strategy != .rolling
    }
}
