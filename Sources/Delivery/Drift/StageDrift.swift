public import Base
internal import GitKit
public import Models

/// A model's stage as it should be, as the record says that it is, and as its target says.
public struct StageDrift: Sendable {
    /// Who asks for a repair, in the delivery's events.
    static let repairer = "git-ml drift"

    /// What the target says.
    public enum Actual: Sendable, Equatable {
        case live(LiveDeployment)
        case nothing
        /// The target is a script that nobody can ask.
        case unknown
        /// The policy deploys nothing: the image is all.
        case notDeployed
        case unreachable(reason: String)
    }

    public let model: ModelName
    public let stage: String
    /// What the tags say; nil when the stage was given up.
    public let desired: Assignment?
    /// The latest delivery that went live.
    public let recorded: DeliveryRecord?
    /// The latest delivery of what is desired, however it ended.
    public let latest: DeliveryRecord?
    public let actual: Actual

    public init(
        model: ModelName, stage: String, desired: Assignment?, recorded: DeliveryRecord?, latest: DeliveryRecord?,
        actual: Actual
    ) {
        self.model = model
        self.stage = stage
        self.desired = desired
        self.recorded = recorded
        self.latest = latest
        self.actual = actual
    }

    /// What differs; empty when nothing does.
    public var differences: [String] { [pending, drifted].compactMap(\.self) }

    /// Why what is recorded is not what is desired; nil when it is.
    private var pending: String? {
        guard let desired else {
            guard recorded != nil, case .live = actual else { return nil }
            return "nothing is staged any more, and something is served"
        }
        guard recorded?.tag != desired.tagID.hex else { return nil }
        guard let latest else { return "\(desired.tag) is not delivered yet" }
        return "\(desired.tag) is \(latest.status)" + (latest.reason.map { ": \($0)" } ?? "")
    }

    /// Why what is served is not what is recorded; nil when it is, or nobody can tell.
    public var drifted: String? {
        guard let recorded, desired != nil else { return nil }
        switch actual {
        case .unknown, .notDeployed: return nil
        case .unreachable(let reason): return "the target cannot be asked: \(reason)"
        case .nothing: return "nothing is served"
        case .live(let live):
            if "\(live.digest)" != recorded.digest { return "something else is served: \(live.digest)" }
            return live.isRunning ? nil : "what is served does not run"
        }
    }

    /// Whether making the recorded delivery again would end the difference.
    ///
    /// A repair that failed is tried again, but not at once.
    func wantsRepair(at now: Timestamp = .now()) -> Bool {
        if let latest, latest.status == "failed", latest.isRepair, let ended = latest.ended {
            return now.seconds(since: ended) > 300
        }
        guard drifted != nil, let recorded, recorded.status == "succeeded", recorded.tag == desired?.tagID.hex else {
            return false
        }
        if case .unreachable = actual { return false }
        return true
    }

    /// One object as `git ml drift --json` prints it.
    public var json: JSON {
        let live: JSON =
            switch actual {
            case .live(let live):
                [
                    "digest": .string("\(live.digest)"), "version": .string(live.version),
                    "commit": .optional(live.commit?.hex), "address": .optional(live.address),
                    "running": .bool(live.isRunning),
                ]
            default: .null
            }
        let state =
            switch actual {
            case .live: "live"
            case .nothing: "nothing"
            case .unknown: "unknown"
            case .notDeployed: "not-deployed"
            case .unreachable: "unreachable"
            }
        return [
            "model": .string("\(model)"), "stage": .string(stage),
            "desired": desired.map {
                ["tag": .string($0.tag), "version": .string($0.label), "commit": .string($0.commit.hex)]
            } ?? .null,
            "recorded": recorded.map {
                [
                    "delivery": .string($0.id), "status": .string($0.status), "commit": .string($0.commit.hex),
                    "digest": .optional($0.digest), "target": .optional($0.target),
                ]
            } ?? .null,
            "state": .string(state), "actual": live, "differences": .array(differences.map { .string($0) }),
        ]
    }
}
