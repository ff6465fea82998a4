internal import Base
internal import GitKit
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Runs
internal import ServiceLifecycle
internal import SystemPackage

/// Tells a browser what has changed, by server-sent events.
struct LiveChanges {
    private static let interval = Duration.milliseconds(400)
    /// How often something is sent when nothing changes, so that a lost connection is noticed.
    private static let heartbeat = 40

    private let repository: Repository
    private let journal: Journal

    init(_ repository: Repository) {
        self.repository = repository
        journal = Journal(repository)
    }

    /// What it was when somebody looked: the refs that pages are made of, and the files of the runs that go on.
    private struct State: Equatable {
        var refs: [String: ObjectID] = [:]
        var runs: [String: [Int64]] = [:]
        /// Those that have not ended.
        var going: Set<String> = []
    }

    private func look() throws -> State {
        var state = State()
        for ref in ["refs/notes/ml/runs", "refs/notes/ml/deliveries", "HEAD"] {
            if let target = try repository.ref(ref) { state.refs[ref] = target }
        }
        for tag in try repository.refs(below: "refs/tags/") { state.refs[tag.name] = tag.target }
        for id in try journal.runs() {
            let folder = journal.folder(of: id)
            if journal.isGoingOn(id) { state.going.insert(id) }
            let files = [
                journal.root.appending(id + ".jsonl"), folder.appending("metrics.jsonl"), folder.appending("log"),
                folder.appending("system.jsonl"),
            ]
            state.runs[id] = files.flatMap { file in
                Files.status(file).map { [$0.size, $0.modified.microseconds] } ?? [-1]
            }
        }
        return state
    }

    /// The events, until the browser goes or the server stops.
    var response: Response {
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        let body = ResponseBody { writer in
            var known = try look()
            try await writer.write(Self.event("hello", ["going": .array(Self.going(known))]))
            var quiet = 0
            while !Task.isCancelled, !Task.isShuttingDownGracefully {
                try await Task.sleep(for: Self.interval)
                let now = try look()
                quiet += 1
                if now != known {
                    try await writer.write(Self.event("change", Self.difference(known, now)))
                    (known, quiet) = (now, 0)
                } else if quiet >= Self.heartbeat {
                    try await writer.write(ByteBuffer(string: ": still here\n\n"))
                    quiet = 0
                }
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private static func going(_ state: State) -> [JSON] { state.going.sorted().map { .string($0) } }

    private static func difference(_ old: State, _ new: State) -> JSON {
        let changed = Set(old.runs.keys).union(new.runs.keys).filter { old.runs[$0] != new.runs[$0] }
        return [
            "runs": .array(changed.sorted().map { .string($0) }), "refs": .bool(old.refs != new.refs),
            "going": .array(going(new)),
        ]
    }

    private static func event(_ name: String, _ json: JSON) -> ByteBuffer {
        ByteBuffer(string: "event: \(name)\ndata: \(json)\n\n")
    }
}
