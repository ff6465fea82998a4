internal import Base
public import GitKit

/// What is told of a delivery.
public struct DeliveryNotice: Sendable {
    public let model: String
    public let stage: String
    /// The stage tag's name.
    public let tag: String
    public let version: String?
    public let commit: ObjectID
    /// `running`, `succeeded`, `failed`, `refused`, `rolled-back` or `superseded`.
    public let status: String
    public let reason: String?
    public let image: String?
    public let target: String?
    /// The delivery's id.
    public let delivery: String

    public init(
        model: String, stage: String, tag: String, version: String? = nil, commit: ObjectID, status: String,
        reason: String? = nil, image: String? = nil, target: String? = nil, delivery: String
    ) {
        self.model = model
        self.stage = stage
        self.tag = tag
        self.version = version
        self.commit = commit
        self.status = status
        self.reason = reason
        self.image = image
        self.target = target
        self.delivery = delivery
    }

    /// One line for people.
    public var text: String {
        let what = tag + (version.map { $0 == commit.hex ? "" : " (\($0))" } ?? "")
        let end =
            switch status {
            case "succeeded": target.map { "is served at \($0)" } ?? "is delivered"
            case "running": "is being delivered"
            case "rolled-back": "was rolled back"
            case "refused": "was refused"
            default: status
            }
        return "\(what) \(end)" + (reason.map { ": \($0)" } ?? "")
    }

    /// What a template of `notify:` may name.
    var values: [String: Any] {
        var values: [String: Any] = [
            "text": text, "model": model, "stage": stage, "tag": tag, "commit": commit.hex, "status": status,
            "delivery": delivery,
        ]
        values["version"] = version
        values["reason"] = reason
        values["image"] = image
        values["target"] = target
        return values
    }
}
