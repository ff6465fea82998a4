internal import Base
internal import GitKit
internal import Images
internal import Models
internal import SystemPackage

/// `deploy: {to: podman}`: pods on one host, made of the Deployment that a cluster would get.
///
/// Each version is a pod on a port of its own, and the same small switch as for local processes stands before them. The pod of
/// before is stopped and kept, so that a rollback starts it again. Only pods with our label are ever stopped or removed.
struct PodmanTarget: DeployTarget {
    let context: DeployTargets.Context
    let settings: StageSettings.Target
    /// The files and the switch, which are those of local processes.
    let local: LocalTarget
    let name: String
    let environment: [String: String?]

    init(
        settings: StageSettings.Target, _ context: DeployTargets.Context, environment: [String: String?] = [:]
    ) {
        self.settings = settings
        self.context = context
        self.environment = environment
        name = WorkloadName.of("\(context.model)", context.stage)
        local = LocalTarget(
            directory: context.places.state.appending("podman").appending(
                LocalTarget.name("\(context.model)", context.stage)), program: context.places.program)
    }

    var description: String { "podman" }

    /// The port is chosen here: it is a part of the manifest.
    func render(_ deployment: Deployment) throws -> Rendering {
        let template = try DeployTemplate(
            named: settings.workload.template, in: context.repository, at: context.policy,
            templates: context.places.templates)
        let values = try WorkloadValues(deployment)
        let manifest = try template.render(
            values.values(.version, hostPort: FreePort.find(), hostNetwork: true), name: name
        ).only("Deployment")
        guard !manifest.objects.isEmpty else {
            throw Refusal("the template \(settings.workload.template) has no Deployment: podman needs one")
        }
        return Rendering([.init(name: "\(name).yaml", text: manifest.text)])
    }

    func deploy(_ deployment: Deployment, _ rendering: Rendering) async throws {
        if try local.server(of: deployment.digest) != nil { return }
        guard let file = rendering.files.first,
            let object = try Manifest(file.text, name: name).objects.first, let port = object.port
        else { throw Refusal("there is no manifest to play") }
        let path = local.directory.appending("\(deployment.digest.short).yaml")
        try Files.replace(path, with: file.text.utf8)
        try await podman(
            ["kube", "play", "--replace"] + (isInsecure(deployment.image) ? ["--tls-verify=false"] : []) + [path.string]
        )
        guard let pod = try await pods()[track(deployment.digest)] else {
            throw ProbeFailure("podman made no pod of \(path)")
        }
        let server = try await running(LocalTarget.Server(deployment), pod: pod, port: port)
        try Files.replace(local.candidateFile, with: server.text.utf8)
    }

    func wait(_ deployment: Deployment, within limit: Duration) async throws {
        try await local.wait(deployment, within: limit)
    }

    func withAddress<T: Sendable>(
        of part: DeploymentPart, _ deployment: Deployment, _ body: @Sendable (ProbeAddress?) async throws -> T
    ) async throws -> T { try await local.withAddress(of: part, deployment, body) }

    func promote(_ deployment: Deployment) async throws -> String {
        let candidate = try local.server(of: deployment)
        if let old = try LocalTarget.Server(local.activeFile), old.digest != candidate.digest {
            try Files.replace(local.previousFile, with: old.text.utf8)
        }
        let address = try await local.switchTo(candidate, host: settings.host, port: settings.port)
        Files.remove(local.candidateFile)
        try await tidy()
        return address
    }

    func rollBack(_ deployment: Deployment) async throws -> LiveDeployment? {
        if let candidate = try LocalTarget.Server(local.candidateFile), candidate.digest == deployment.digest {
            Files.remove(local.candidateFile)
        }
        let active = try LocalTarget.Server(local.activeFile)
        if active?.digest == deployment.digest, let previous = try LocalTarget.Server(local.previousFile),
            previous.digest != deployment.digest, let pod = try await pods()[track(previous.digest)]
        {
            try await podman(["pod", "start", pod])
            let server = try await running(previous, pod: pod, port: previous.port)
            let probe = deployment.settings.probe
            try await local.ready(server, probe.path, until: .now + probe.within)
            _ = try await local.switchTo(server, host: settings.host, port: settings.port)
            Files.remove(local.previousFile)
        }
        try await tidy()
        return try local.live()
    }

    func live() throws -> LiveDeployment? { try local.live() }

    // MARK: - Podman

    private func track(_ digest: Digest) -> String { "v" + digest.hex.prefix(10) }

    @discardableResult
    private func podman(_ arguments: [String]) async throws -> String {
        try await ChildProcess.check("podman", arguments, environment: environment).trimmed
    }

    /// Our pods of this model and stage: their ids by their track.
    private func pods() async throws -> [String: String] {
        let text = try await podman([
            "pod", "ps", "--no-trunc", "--filter=label=\(Manifest.label)=\(name)", "--format=json",
        ])
        var pods: [String: String] = [:]
        for pod in try JSON.parse(text.isEmpty ? "[]" : text).array ?? [] {
            if let track = pod["Labels"]?["git-ml.dev/track"]?.string, let id = pod["Id"]?.string { pods[track] = id }
        }
        return pods
    }

    private func running(_ like: LocalTarget.Server, pod: String, port: Int) async throws -> LocalTarget.Server {
        let containers =
            try JSON.parse(
                try await podman(["ps", "--all", "--no-trunc", "--filter=pod=\(pod)", "--format=json"])
            ).array ?? []
        let container = containers.first { $0["IsInfra"]?.bool != true }
        guard let id = container?["Id"]?.string,
            let state = try JSON.parse(try await podman(["inspect", "--type=container", id])).array?.first
        else { throw ProbeFailure("the pod \(pod.prefix(12)) has no container") }
        let log = state["HostConfig"]?["LogConfig"]?["Path"]?.string ?? ""
        guard let process = state["State"]?["Pid"]?.int, process > 0 else {
            throw ProbeFailure("the container ended at once: \(LocalTarget.tail(FilePath(log)))")
        }
        return like.running(ProcessIdentity(Int32(truncatingIfNeeded: process)), port: port, log: log)
    }

    /// Stops the pod of before, and removes all but it, the live one and a candidate.
    private func tidy() async throws {
        func tracked(_ file: FilePath) throws -> String? { try LocalTarget.Server(file).map { track($0.digest) } }
        let (live, previous) = (try tracked(local.activeFile), try tracked(local.previousFile))
        let candidate = try tracked(local.candidateFile)
        for (track, pod) in try await pods().sorted(by: { $0.key < $1.key }) where track != live && track != candidate {
            // Connections that the switch is just now passing on.
            try await Task.sleep(for: .milliseconds(200))
            try await podman(
                track == previous ? ["pod", "stop", "--time=30", pod] : ["pod", "rm", "--force", "--time=30", pod])
        }
    }

    /// Plain HTTP is spoken with registries of this machine only, and with hosts in `ml.insecureRegistries`.
    private func isInsecure(_ image: ImageReference) -> Bool {
        guard case .registry(let name, _, _) = image,
            let options = try? ModelPackage.registryOptions(context.repository)
        else { return false }
        return options.takesPlainHTTP(name.host)
    }
}
