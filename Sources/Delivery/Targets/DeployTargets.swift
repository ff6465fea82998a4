public import GitKit
public import Models

/// Finds the target that `deploy:` of a stage names.
public enum DeployTargets {
    /// What a target may need to know besides its settings.
    public struct Context: Sendable {
        public let model: ModelName
        public let stage: String
        public let places: Runner.Places
        public let repository: Repository
        /// The commit of the protected branch from which templates are read.
        public let policy: ObjectID
        public let say: @Sendable (String) -> Void

        public init(
            model: ModelName, stage: String, places: Runner.Places, repository: Repository, policy: ObjectID,
            say: @escaping @Sendable (String) -> Void
        ) {
            self.model = model
            self.stage = stage
            self.places = places
            self.repository = repository
            self.policy = policy
            self.say = say
        }
    }

    /// The kinds that this version can deploy to.
    public static let kinds = StageSettings.Target.kinds

    /// The target of a stage; throws ``Refusal`` when its settings do not do.
    public static func make(settings: StageSettings.Target, _ context: Context) throws -> any DeployTarget {
        switch settings.kind {
        case "local":
            LocalTarget(
                directory: LocalTarget.directory(context.places, model: "\(context.model)", stage: context.stage),
                program: context.places.program)
        case "command": try CommandTarget(settings: settings, context)
        case "kubernetes": KubernetesTarget(settings: settings, context)
        case "podman": PodmanTarget(settings: settings, context)
        default: throw Refusal("this version cannot deploy to “\(settings.kind)”")
        }
    }
}
