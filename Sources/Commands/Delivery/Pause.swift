internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Models

/// What `pause` and `resume` are told.
struct PauseOptions: ParsableArguments {
    @Argument(help: "MODEL#STAGE, or #STAGE for every model.")
    var stage: String

    @Option(name: .shortAndLong, help: "Why.")
    var message: String?

    func validate() throws { _ = try place() }

    func place() throws -> StagePause.Place {
        let text = stage.hasPrefix("#") ? String(stage.dropFirst()) : stage
        if ModelName.isPart(text), stage.hasPrefix("#") { return StagePause.Place(model: nil, stage: text) }
        guard let name = StageName(argument: stage) else {
            throw ValidationError("“\(stage)” is no stage: write MODEL#STAGE, or #STAGE for every model")
        }
        return StagePause.Place(model: name.model, stage: name.stage)
    }

    func record(isPaused: Bool) async throws {
        let request = try await DeliveryRequest()
        guard let policy = try Policy.protected(request.repository) else { throw NoPolicy() }
        let place = try place()
        if let model = place.model.flatMap({ ModelName($0) }), policy.project.stage(place.stage, of: model) == nil {
            throw ModelFailure.unknownStage(place.stage, known: Array(policy.project.stages.keys))
        }
        let pause = try StagePause(place, isPaused: isPaused, by: request.person, message: message)
        try request.log.add(pause, on: policy.commit)
        try await request.send()
        print(
            isPaused ? "\(stage) is paused: nothing is delivered to it" : "\(stage) goes on with a runner's next pass")
    }
}

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hold a stage: runners deliver nothing to it",
        discussion: """
            What is live stays so, and a delivery that is going on comes to its end.

              $ git ml pause churn#prod -m 'until Monday'
              $ git ml pause '#prod'
              $ git ml resume '#prod'
            """)

    @OptionGroup var options: PauseOptions

    func run() async throws { try await options.record(isPaused: true) }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a stage that was paused go on",
        discussion: """
            It is named as it was when it was paused: `#prod` and `churn#prod` are held and let go separately.

              $ git ml resume churn#prod
            """)

    @OptionGroup var options: PauseOptions

    func run() async throws { try await options.record(isPaused: false) }
}

/// A repository whose protected branch has no `ml.yaml`.
struct NoPolicy: Failure {
    var kind: FailureKind { .user }
    var description: String { "the protected branch has no \(Project.fileName) yet" }
    var hints: [String] { ["commit and push one: `git ml init` makes it"] }
}
