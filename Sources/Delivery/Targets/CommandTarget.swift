internal import Base
internal import Models

/// `deploy: {to: command, run: […]}`: a program of the team's own, told what to deploy by its environment.
struct CommandTarget: DeployTarget {
    private let words: [String]
    private let context: DeployTargets.Context

    init(settings: StageSettings.Target, _ context: DeployTargets.Context) throws {
        guard !settings.command.isEmpty else { throw Refusal("deploy: to: command needs run: [program, …]") }
        words = settings.command
        self.context = context
    }

    var description: String { "command:\(words[0])" }

    func render(_ deployment: Deployment) -> Rendering { Rendering() }

    func deploy(_ deployment: Deployment, _ rendering: Rendering) async throws {
        let result = try await ChildProcess.check(
            words[0], Array(words.dropFirst()), in: context.places.state,
            environment: deployment.environment.mapValues { $0 })
        if !result.trimmed.isEmpty { context.say(result.trimmed) }
    }

    func wait(_ deployment: Deployment, within limit: Duration) {}

    func withAddress<T: Sendable>(
        of part: DeploymentPart, _ deployment: Deployment, _ body: @Sendable (ProbeAddress?) async throws -> T
    ) async throws -> T { try await body(nil) }

    func promote(_ deployment: Deployment) -> String { description }

    func rollBack(_ deployment: Deployment) -> LiveDeployment? { nil }

    func live() -> LiveDeployment? { nil }

    var knowsWhatIsLive: Bool { false }
}
