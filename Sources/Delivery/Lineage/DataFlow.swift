public import Base
public import Runs

/// Which runs read what other runs made, by the digest of the content.
public struct DataFlow: Sendable {
    private struct Node: Sendable {
        let id: String
        let started: Timestamp
        let inputs: [RunItem]
        let made: [Digest]
    }

    private var nodes: [String: Node] = [:]
    /// The runs that made a content and that read it, the earliest first.
    private var makers: [Digest: [String]] = [:]
    private var readers: [Digest: [String]] = [:]

    /// Reads the runs that are not deleted; what `git ml reproduce` repeated stands for the run that it repeats.
    init(_ store: RunStore) throws {
        var runs: [Run] = []
        try store.each { run in
            if run.tags[Reproduction.reproducesTag] == nil { runs.append(run) }
        }
        self.init(runs)
    }

    /// The same for runs at hand.
    public init(_ runs: [Run]) {
        for run in runs.sorted(by: { ($0.started, $0.id) < ($1.started, $1.id) }) {
            // A commit that is its own run has the models that were there before as its outputs, too: those it has not made
            // have a maker already.
            let made = run.outputs.map(\.digest).filter { run.source != "commit" || makers[$0] == nil }
            nodes[run.id] = Node(id: run.id, started: run.started, inputs: run.inputs, made: made)
            for digest in Set(made) { makers[digest, default: []].append(run.id) }
            for digest in Set(run.inputs.map(\.digest)) { readers[digest, default: []].append(run.id) }
        }
    }

    /// The runs that have read a path, or anything below it; with `content` only those that have read exactly that.
    public func readers(of path: String, _ content: Digest? = nil) -> Set<String> {
        if let content { return Set(readers[content] ?? []) }
        return Set(
            nodes.values.filter { node in
                node.inputs.contains { $0.path == path || $0.path.hasPrefix(path + "/") }
            }.map(\.id))
    }

    /// These runs, and all that read what they made, and so on.
    public func downstream(of runs: Set<String>) -> Set<String> {
        var (found, next) = (runs, Array(runs))
        while let id = next.popLast() {
            for digest in nodes[id]?.made ?? [] {
                for reader in readers[digest] ?? [] where found.insert(reader).inserted { next.append(reader) }
            }
        }
        return found
    }

    /// The ids of the runs that made what a run read, and so on, each after what it read itself, the run last.
    ///
    /// Of several that made the same content it is the last one that had begun before the reader.
    public func upstream(of id: String) -> [String] {
        var (order, seen): ([String], Set<String>) = ([], [id])
        func visit(_ id: String) {
            guard let node = nodes[id] else { return order.append(id) }
            for input in node.inputs {
                let maker = makers[input.digest]?.last { maker in
                    maker != id && nodes[maker].map { $0.started <= node.started } ?? false
                }
                if let maker, seen.insert(maker).inserted { visit(maker) }
            }
            order.append(id)
        }
        visit(id)
        return order
    }

    func upstream(of run: Run, _ store: RunStore) throws -> [Run] {
        try upstream(of: run.id).compactMap { $0 == run.id ? run : try store.run(id: $0) }
    }
}
