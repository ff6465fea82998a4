public import Base
public import GitKit
public import Images
public import Models

/// Where a stage is served: what a delivery does after its image has been pushed.
///
/// A delivery calls `render`, `deploy`, `wait`, `withAddress` and `promote` in this order, each as a step of its own. A runner
/// may be killed after any of them, or inside, and another process goes on: so a target keeps what it needs from one step
/// to the next at the target itself, every verb may be called again with the same ``Deployment`` and does nothing then that
/// has been done, and none of them relies on a value that an earlier call has left in memory.
public protocol DeployTarget: Sendable {
    /// What the target is, for people and for the delivery's record: `local`, `kubernetes:aks-prod/ml`.
    var description: String { get }

    /// Makes what will be applied; changes nothing anywhere.
    func render(_ deployment: Deployment) async throws -> Rendering

    /// Puts the candidate beside what is live; it gets no traffic yet, where the target can do that.
    func deploy(_ deployment: Deployment, _ rendering: Rendering) async throws

    /// Returns once the candidate is up; throws ``ProbeFailure`` with what it said when it is not within `limit`.
    func wait(_ deployment: Deployment, within limit: Duration) async throws

    /// Calls `body` with where one of the two can be asked, and keeps that way open as long as it runs.
    ///
    /// `body` gets nil where the target has no address of its own: there is nothing to probe then.
    func withAddress<T: Sendable>(
        of part: DeploymentPart, _ deployment: Deployment, _ body: @Sendable (ProbeAddress?) async throws -> T
    ) async throws -> T

    /// Gives the candidate all traffic; returns where the stage is served.
    func promote(_ deployment: Deployment) async throws -> String

    /// Undoes a deployment: before its promotion the candidate goes away, after it what was live before comes back.
    ///
    /// Returns what is live afterwards; nil when nothing is, or nobody can tell.
    func rollBack(_ deployment: Deployment) async throws -> LiveDeployment?

    /// What gets the stage's traffic now, as the target itself says; nil when nothing does, or nobody can tell.
    func live() async throws -> LiveDeployment?

    /// Whether ``live()`` can tell at all.
    var knowsWhatIsLive: Bool { get }
}

extension DeployTarget {
    public var knowsWhatIsLive: Bool { true }
}

/// The two that stand beside each other while a stage changes.
public enum DeploymentPart: Sendable {
    case candidate
    case live
}

/// What goes into a stage.
public struct Deployment: Sendable {
    public let model: ModelName
    public let stage: String
    /// The registered version, else the commit id.
    public let version: String
    public let commit: ObjectID
    /// The stage tag's name: `churn#prod#4`.
    public let tag: String
    public let counter: Int?
    /// Where the image was pushed to.
    public let image: ImageReference
    /// The digest of its manifest: what is deployed goes by this, never by the image's tag.
    public let digest: Digest
    public let settings: StageSettings
    /// The image's content as the runner has it; nil where only what was pushed is known.
    public let package: BuiltPackage?

    public init(
        model: ModelName, stage: String, version: String, commit: ObjectID, tag: String, counter: Int?,
        image: ImageReference, digest: Digest, settings: StageSettings, package: BuiltPackage? = nil
    ) {
        self.model = model
        self.stage = stage
        self.version = version
        self.commit = commit
        self.tag = tag
        self.counter = counter
        self.image = image
        self.digest = digest
        self.settings = settings
        self.package = package
    }

    /// What a program that takes part in a deployment finds in its environment (`formats.md`, deploy target `command`).
    public var environment: [String: String] {
        [
            "GIT_ML_MODEL": "\(model)", "GIT_ML_STAGE": stage, "GIT_ML_VERSION": version, "GIT_ML_COMMIT": commit.hex,
            "GIT_ML_IMAGE": "\(image)", "GIT_ML_DIGEST": "\(digest)",
        ]
    }
}

/// Files that a target would apply, in this order; empty where it applies none.
public struct Rendering: Sendable, Equatable {
    public struct File: Sendable, Equatable {
        public let name: String
        public let text: String

        public init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }

    public var files: [File]

    public init(_ files: [File] = []) { self.files = files }
}

/// Where a served model is asked: `http://127.0.0.1:8080`, without a slash at its end.
public struct ProbeAddress: Sendable, Equatable {
    public let url: String

    public init(_ url: String) { self.url = url }
    public init(port: Int) { url = "http://127.0.0.1:\(port)" }
}

/// What gets a stage's traffic.
public struct LiveDeployment: Sendable, Equatable {
    /// The digest of the image's manifest.
    public let digest: Digest
    public let version: String
    /// The commit in full; nil when the target does not know it.
    public let commit: ObjectID?
    public let address: String?
    /// Whether it runs as it should.
    public let isRunning: Bool

    public init(digest: Digest, version: String, commit: ObjectID?, address: String?, isRunning: Bool) {
        self.digest = digest
        self.version = version
        self.commit = commit
        self.address = address
        self.isRunning = isRunning
    }
}
