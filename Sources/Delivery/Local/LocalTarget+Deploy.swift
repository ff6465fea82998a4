internal import Base
internal import GitKit
internal import Models
internal import SystemPackage

extension LocalTarget: DeployTarget {
    public var description: String { "local" }

    public func render(_ deployment: Deployment) -> Rendering { Rendering() }

    public func deploy(_ deployment: Deployment, _ rendering: Rendering) async throws {
        if try server(of: deployment.digest) != nil { return }
        // Another delivery's, which has been given up.
        try await end(Server(candidateFile))
        guard let package = deployment.package else {
            throw Refusal("a local deployment needs the image's content, not only its name")
        }
        try await unpack(package, deployment.digest)
        let limit = deployment.settings.probe.within
        let server = try await start(Server(deployment), until: .now + limit)
        try Files.replace(candidateFile, with: server.text.utf8)
    }

    public func wait(_ deployment: Deployment, within limit: Duration) async throws {
        try await ready(server(of: deployment), deployment.settings.probe.path, until: .now + limit)
    }

    public func withAddress<T: Sendable>(
        of part: DeploymentPart, _ deployment: Deployment, _ body: @Sendable (ProbeAddress?) async throws -> T
    ) async throws -> T {
        switch part {
        case .candidate: try await body(ProbeAddress(port: server(of: deployment).port))
        case .live: try await body(address(directory.appending("switch.json")).map { ProbeAddress($0) })
        }
    }

    public func promote(_ deployment: Deployment) async throws -> String {
        let candidate = try server(of: deployment)
        let settings = deployment.settings.deploy
        if let old = try Server(activeFile), old.process != candidate.process {
            try Files.replace(previousFile, with: old.text.utf8)
        }
        let address = try await switchTo(candidate, host: settings?.host ?? "", port: settings?.port ?? 0)
        Files.remove(candidateFile)
        try await end(Server(previousFile))
        return address
    }

    public func rollBack(_ deployment: Deployment) async throws -> LiveDeployment? {
        if let candidate = try Server(candidateFile), candidate.digest == deployment.digest {
            try await end(candidate)
            Files.remove(candidateFile)
        }
        guard let bad = try Server(activeFile), bad.digest == deployment.digest,
            let previous = try Server(previousFile),
            previous.digest != deployment.digest
        else { return try live() }
        let settings = deployment.settings
        let deadline = ContinuousClock.now + settings.probe.within
        let server = previous.process.isRunning ? previous : try await start(previous, until: deadline)
        try Files.replace(previousFile, with: server.text.utf8)
        try await ready(server, settings.probe.path, until: deadline)
        _ = try await switchTo(server, host: settings.deploy?.host ?? "", port: settings.deploy?.port ?? 0)
        try await end(bad)
        return try live()
    }

    public func live() throws -> LiveDeployment? {
        guard let server = try Server(activeFile), let status = try status() else { return nil }
        return LiveDeployment(
            digest: server.digest, version: server.version, commit: ObjectID(server.revision),
            address: status.address, isRunning: status.isRunning)
    }
}
