public import Base
public import GitKit

/// A registered version of a model.
public struct Version: Hashable, Sendable {
    public let version: SemanticVersion
    public let commit: ObjectID
    public let tag: String
    public var isDeregistered = false
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
}

/// What the tags say of one model.
public struct ModelEntry: Sendable {
    public let name: ModelName
    public internal(set) var versions: [Version] = []
    /// Current first, in GTO's sense: by the tagger's date.
    public internal(set) var stages: [String: [Assignment]] = [:]
    /// What the runner deploys: the highest counter, where none has a counter GTO's answer.
    public internal(set) var desired: [String: Assignment] = [:]
    public internal(set) var isDeprecated = false
    /// The number that the model's next counted tag bears.
    public internal(set) var nextCounter = 1

    /// A model that no tag speaks of yet.
    public init(name: ModelName) { self.name = name }

    /// The highest version that is not deregistered.
    public var latest: Version? { versions.filter { !$0.isDeregistered }.max { $0.version < $1.version } }

    /// The version registered on a commit, the highest if there are several.
    public func version(at commit: ObjectID) -> Version? {
        versions.filter { $0.commit == commit && !$0.isDeregistered }.max { $0.version < $1.version }
    }
}

/// The models of a repository, read from its tags.
public struct Registry: Sendable {
    public private(set) var models: [ModelName: ModelEntry] = [:]
    /// Tags that look like ours and do not count, with the reason.
    public private(set) var problems: [(tag: String, reason: String)] = []

    /// `allowLight` says whether light tags count, which GTO ignores.
    public init(_ tags: [TagRef], allowLight: Bool = false) {
        var events: [(tag: ModelTag, ref: TagRef, time: Timestamp)] = []
        for ref in tags {
            guard let tag = ModelTag(ref.name) else {
                if ref.name.contains("@v") || ref.name.contains("#") {
                    problems.append((ref.name, "its name breaks the grammar"))
                }
                continue
            }
            if ref.targetKind != .commit {
                problems.append((ref.name, "it is on a \(ref.targetKind), not on a commit"))
            } else if ref.object == nil, !allowLight {
                problems.append(
                    (ref.name, "it is a light tag; mend it with `git tag -a -f '\(ref.name)' '\(ref.name)^{}'`"))
            } else {
                events.append((tag, ref, ref.object?.tagger?.time ?? Timestamp(seconds: 0)))
            }
        }
        events.sort { ($0.time, $0.ref.name) < ($1.time, $1.ref.name) }
        for (name, events) in Dictionary(grouping: events, by: { $0.tag.model }) {
            models[name] = Self.fold(name, events)
        }
    }

    private static func fold(_ name: ModelName, _ events: [(tag: ModelTag, ref: TagRef, time: Timestamp)]) -> ModelEntry
    {
        var model = ModelEntry(name: name)
        var removed: [String: (counter: Int, commit: ObjectID)] = [:]
        for (tag, ref, time) in events {
            model.nextCounter = max(model.nextCounter, (tag.counter ?? 0) + 1)
            switch tag.action {
            case .register(let version):
                model.versions.append(Version(version: version, commit: ref.target, tag: ref.name))
            case .deregister(let version):
                for i in model.versions.indices where model.versions[i].version == version {
                    model.versions[i].isDeregistered = true
                }
            case .assign(let stage):
                let assignment = Assignment(
                    stage: stage, commit: ref.target, tag: ref.name, tagID: ref.id, counter: tag.counter,
                    by: ref.object?.tagger?.name, time: time)
                model.stages[stage, default: []].removeAll { $0.commit == ref.target }
                model.stages[stage, default: []].insert(assignment, at: 0)
                model.isDeprecated = false
                if (tag.counter ?? 0) >= (model.desired[stage]?.counter ?? 0) { model.desired[stage] = assignment }
            case .unassign(let stage):
                model.stages[stage]?.removeAll { $0.commit == ref.target }
                if (tag.counter ?? 0) >= (removed[stage]?.counter ?? 0) {
                    removed[stage] = (tag.counter ?? 0, ref.target)
                }
            case .deprecate: model.isDeprecated = true
            }
        }
        for (stage, removal) in removed {
            guard let desired = model.desired[stage], desired.commit == removal.commit else { continue }
            if let counter = desired.counter, counter > removal.counter { continue }
            if desired.counter == nil, model.stages[stage]?.contains(desired) == true { continue }
            model.desired[stage] = nil
        }
        model.stages = model.stages.filter { !$0.value.isEmpty }
        return model
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
            let version = version(at: assignment.commit).map { "\($0.version)" } ?? assignment.commit.hex
            return [
                "version": .string(version), "commit": .string(assignment.commit.hex), "tag": .string(assignment.tag),
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
