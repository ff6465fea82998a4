public import Base
public import GitKit
public import Models
public import Runs

/// Where models come from and where data has gone: data → run → commit → model → tag → image → deployment.
///
/// Nothing of it is stored. Runs say which content went in and came out, commits hold the content, tags name commits, and the
/// delivery events say what a tag has become.
public struct Lineage: Sendable {
    /// The way of one model's content at one commit; without ``model``: what a run made that no tag leads to.
    public struct Chain: Sendable {
        /// The run behind the model last, before it those that made what it read, each after what it read itself.
        public var runs: [Run] = []
        public var commit: ObjectID?
        public var model: ModelName?
        /// Where the model lies.
        public var path: String?
        /// The digest of its content there.
        public var digest: Digest?
        /// The versions and stages that this commit was given.
        public var tags: [TagEvent] = []
        /// The latest of each stage.
        public var deliveries: [Delivered] = []
    }

    /// A delivery, and whether its stage has had no successful one since.
    public struct Delivered: Sendable {
        public let record: DeliveryRecord
        public let isCurrent: Bool
    }

    private let repository: Repository
    private let store: RunStore
    private let registry: Registry
    private let paths: @Sendable (ModelName) -> String?
    private let deliveries: [DeliveryRecord]
    private let flow: DataFlow

    /// Reads all runs' inputs and outputs once.
    ///
    /// - Parameters:
    ///   - store: The runs.
    ///   - registry: The models.
    ///   - paths: Where a model's file or folder lies; nil when nothing says so.
    /// - Throws: What reading the runs and the delivery notes throws.
    public init(_ store: RunStore, _ registry: Registry, paths: @escaping @Sendable (ModelName) -> String?) throws {
        repository = store.repository
        self.store = store
        self.registry = registry
        self.paths = paths
        deliveries = try DeliveryLog(repository).all()
        flow = try DataFlow(store)
    }

    /// The way of a model; of an address with a stage only that stage's tag and deliveries.
    public func of(_ model: ResolvedModel) throws -> Chain {
        let path = paths(model.name)
        var chain = try chain(model.name, path, model.commit, [])
        if let assignment = model.assignment {
            chain.tags.removeAll { $0.stage != nil && $0.name != assignment.tag }
            chain.deliveries.removeAll { $0.record.stage != assignment.stage }
        }
        guard let run = try runs(behind: model.commit, path).last else { return chain }
        chain.runs = try flow.upstream(of: run, store)
        return chain
    }

    /// What has become of data: of all that ever lay at a path or below a folder, or of one content.
    ///
    /// First the models that tags lead to, by name and the newest commit first, then the runs that led to none. Empty when no
    /// run has read it.
    public func from(path: String, content: Digest? = nil) throws -> [Chain] {
        let readers = flow.readers(of: path, content)
        var reached = flow.downstream(of: readers)
        var chains: [Chain] = []
        var used: Set<String> = []
        for entry in registry.models.values.sorted(by: { $0.name < $1.name }) {
            let path = paths(entry.name)
            var seen: Set<ObjectID> = []
            for event in registry.tags(of: entry.name).reversed() where seen.insert(event.commit).inserted {
                let behind = try runs(behind: event.commit, path).filter { reached.contains($0.id) }
                guard let run = behind.last else { continue }
                let upstream = try flow.upstream(of: run, store)
                used.formUnion(upstream.map(\.id))
                chains.append(try chain(entry.name, path, event.commit, upstream.filter { reached.contains($0.id) }))
            }
        }
        reached.subtract(used)
        let rest = try reached.compactMap { try store.run(id: $0) }.sorted { ($0.started, $0.id) > ($1.started, $1.id) }
        return chains + rest.map { Chain(runs: [$0], commit: $0.links.last ?? $0.commit) }
    }

    private func chain(_ model: ModelName, _ path: String?, _ commit: ObjectID, _ runs: [Run]) throws -> Chain {
        var stages: Set<String> = []
        let own = deliveries.filter {
            $0.model == "\(model)" && $0.commit == commit && stages.insert($0.stage).inserted
        }
        return Chain(
            runs: runs, commit: commit, model: model, path: path,
            digest: try path.flatMap { try repository.modelDigest($0, at: commit) },
            tags: registry.tags(of: model).filter { $0.commit == commit },
            deliveries: own.map { record in
                let current = deliveries.first {
                    $0.model == record.model && $0.stage == record.stage && $0.status == "succeeded"
                }
                return Delivered(record: record, isCurrent: current?.id == record.id)
            })
    }

    /// The run behind a model; those that disagree about it are all of them behind it.
    private func runs(behind commit: ObjectID, _ path: String?) throws -> [Run] {
        do {
            return try store.run(behind: commit, path: path).map { [$0] } ?? []
        } catch let failure as DisagreeingRuns {
            return failure.runs
        }
    }
}

extension Lineage.Chain {
    /// One object as `git ml trace --json` prints it: sizes in bytes, digests and ids in full.
    public var json: JSON {
        [
            "runs": .array(
                runs.map {
                    [
                        "run": .string($0.id), "name": .optional($0.name), "status": .string($0.status),
                        "commit": .string($0.commit.hex), "started": .string($0.started.description),
                        "inputs": .array($0.inputs.map(\.json)), "outputs": .array($0.outputs.map(\.json)),
                    ]
                }),
            "commit": .optional(commit?.hex), "model": .optional(model.map { "\($0)" }), "path": .optional(path),
            "digest": .optional(digest?.description),
            "tags": .array(
                tags.map {
                    [
                        "tag": .string($0.name), "kind": .string($0.kind), "by": .optional($0.by),
                        "time": .string($0.time.description),
                    ]
                }),
            "deployments": .array(
                deliveries.map {
                    [
                        "delivery": .string($0.record.id), "stage": .string($0.record.stage),
                        "status": .string($0.record.status), "image": .optional($0.record.image),
                        "digest": .optional($0.record.digest), "target": .optional($0.record.target),
                        "started": .string($0.record.started.description), "current": .bool($0.isCurrent),
                    ]
                }),
        ]
    }
}
