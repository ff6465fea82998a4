public import Base
public import GitKit

/// A registered version of a model.
public struct Version: Hashable, Sendable {
    public let version: SemanticVersion
    public let commit: ObjectID
    public let tag: String
    public var isDeregistered = false
    public let by: String?
    public let time: Timestamp
}

/// A stage given to a commit.
public struct Assignment: Hashable, Sendable {
    public let stage: String
    public let commit: ObjectID
    public let tag: String
    /// What the tag's ref points at.
    public let tagID: ObjectID
    public let counter: Int?
    public let by: String?
    public let time: Timestamp
    /// The version registered on the commit; nil when there is none.
    public let version: SemanticVersion?

    /// The version, else the whole commit id.
    public var label: String { version.map { "\($0)" } ?? commit.hex }

    init(_ stage: String, _ event: TagEvent, version: SemanticVersion?) {
        self.stage = stage
        commit = event.commit
        tag = event.name
        tagID = event.id
        counter = event.tag.counter
        by = event.by
        time = event.time
        self.version = version
    }
}

/// What the tags say of one model.
public struct ModelEntry: Sendable {
    public let name: ModelName
    /// In the order in which they were first registered or deregistered.
    public internal(set) var versions: [Version] = []
    /// GTO's answer, by the tagger's date: the current assignment first, then those of other versions that are still in the stage.
    public internal(set) var stages: [String: [Assignment]] = [:]
    /// What the runner deploys: the highest counter, where none has a counter GTO's answer.
    public internal(set) var desired: [String: Assignment] = [:]
    public internal(set) var isDeprecated = false
    /// The number that the model's next counted tag bears.
    public internal(set) var nextCounter = 1
    /// The tag with the highest counter for each stage, be it an assignment or its end; where none has a counter, the latest.
    public internal(set) var newest: [String: TagEvent] = [:]
    /// Every change, the oldest first, in GTO's order.
    public internal(set) var history: [ModelChange] = []
    /// What `artifacts.yaml` says of the model.
    public internal(set) var artifact: Artifact?

    /// A model that no tag speaks of yet.
    public init(name: ModelName) { self.name = name }

    /// The highest version that is not deregistered; of equal ones the one registered last.
    public var latest: Version? {
        versions.filter { !$0.isDeregistered }.reduce(nil) { best, next in
            guard let best, next.version < best.version else { return next }
            return best
        }
    }

    /// The version registered on a commit, the highest if there are several.
    public func version(at commit: ObjectID) -> Version? {
        versions.filter { $0.commit == commit && !$0.isDeregistered }.max { $0.version < $1.version }
    }

    /// The date of the latest tag.
    public var lastChange: Timestamp? { history.last?.event.time }

    /// The stages where what is current by date is not what is desired by counter.
    public var disputedStages: [String] {
        Set(stages.keys).union(desired.keys).sorted().filter { stages[$0]?.first?.commit != desired[$0]?.commit }
    }
}

extension ModelEntry {
    /// One object as `git ml models --json` prints it.
    public func json(all: Bool = false) -> JSON {
        func json(_ version: Version) -> [JSON.Member] {
            [
                JSON.Member("version", .string("\(version.version)")),
                JSON.Member("commit", .string(version.commit.hex)),
                JSON.Member("tag", .string(version.tag)),
            ]
        }
        func json(_ assignment: Assignment) -> JSON {
            [
                "version": .string(assignment.label), "commit": .string(assignment.commit.hex),
                "tag": .string(assignment.tag),
                "counter": assignment.counter.map { .int(Int64($0)) } ?? .null,
            ]
        }
        return [
            "model": .string(name.description), "latest": latest.map { .object(json($0)) } ?? .null,
            "versions": .array(
                versions.map { .object(json($0) + [JSON.Member("deregistered", .bool($0.isDeregistered))]) }),
            "stages": .sorted(stages.mapValues { .array($0.prefix(all ? .max : 1).map(json)) }),
            "desired": .sorted(desired.mapValues(json)), "deprecated": .bool(isDeprecated),
        ]
    }
}
