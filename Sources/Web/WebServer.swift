public import Base
public import GitKit
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
public import Runs
internal import ServiceLifecycle
internal import SystemPackage
internal import UnixSignals

/// Answers MLflow's REST API for one repository, until it is told to stop.
public struct WebServer: Sendable {
    public struct Settings: Sendable {
        public var host = "127.0.0.1"
        /// 0: any that is free.
        public var port = 0
        public var access = Access()
        /// The run that the first run of a client becomes.
        public var run: String?
        /// Whether signals end the server, and not only the task being cancelled.
        public var heedsSignals = true

        public init() {}
    }

    private let settings: Settings
    private let responder: WebResponder
    private let ledger: Ledger

    /// `store` is asked for the recorded runs when the first request needs them.
    public init(
        _ repository: Repository, _ settings: Settings = Settings(), store: @escaping @Sendable () throws -> RunStore
    )
        throws
    {
        guard try repository.head() != nil else { throw UnbornFailure() }
        self.settings = settings
        ledger = Ledger(repository, open: store)
        if settings.run == nil { try ledger.adoptOrphans() }
        let api = MLflowAPI(ledger, session: settings.run.map { RunSession(run: $0) })
        responder = WebResponder(api: api, access: settings.access)
    }

    /// Serves; `started` is told the port once requests are answered.
    ///
    /// What has ended is folded into git when it stops.
    public func run(started: @escaping @Sendable (Int) -> Void) async throws {
        try await Self.serve(responder, settings, started: started)
        try ledger.fold()
    }

    /// Answers requests until it is told to stop.
    static func serve<Responder: HTTPResponder>(
        _ responder: Responder, _ settings: Settings, started: @escaping @Sendable (Int) -> Void
    ) async throws where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
        var logger = Logger(label: "git-ml")
        logger.logLevel = .critical
        let application = Application(
            responder: responder,
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port), serverName: "git-ml"),
            onServerRunning: { channel in started(channel.localAddress?.port ?? 0) }, logger: logger)
        try await application.runService(gracefulShutdownSignals: settings.heedsSignals ? [.sigterm, .sigint] : [])
    }
}

/// A repository without a commit.
public struct UnbornFailure: Failure {
    public var kind: FailureKind { .user }
    public var description: String { "this branch has no commit yet, and a run is recorded on a commit" }
    public var hints: [String] { ["make one first: `git add . && git commit -m first`"] }
}

/// Brings a request to the API and the answer back.
struct WebResponder: HTTPResponder {
    /// A request's surroundings, with the connection that it came on.
    struct Context: RequestContext {
        var coreContext: CoreRequestContextStorage
        let peer: Replies.Peer

        init(source: ApplicationRequestContextSource) {
            coreContext = CoreRequestContextStorage(source: source)
            peer = Replies.Peer(source.channel)
        }
    }

    /// The largest body that is held in memory: a dataset's profile may have 16 MiB.
    private static let largestBody = 20 << 20

    let api: MLflowAPI
    let access: Access
    let replies = Replies()

    func respond(to request: Request, context: Context) async throws -> Response {
        replies.heard(context.peer)
        return await withTaskExecutorPreference(BlockingExecutor.shared) { await answer(request, context.peer) }
    }

    private func answer(_ request: Request, _ peer: Replies.Peer) async -> Response {
        let path = request.uri.path
        let method = request.method.rawValue
        do {
            let route = Route(method, path)
            try access.check(
                host: request.head.authority, origin: request.headers[.origin],
                authorization: request.headers[.authorization], needs: route.role)
            return try await answer(request, route, peer)
        } catch RouteFailure.unknown {
            return Self.page(.notFound, "Not Found", "The requested URL was not found on the server.")
        } catch RouteFailure.wrongMethod {
            return Self.page(
                .methodNotAllowed, "Method Not Allowed", "The method is not allowed for the requested URL.")
        } catch is NIOTooManyBytesError {
            return Self.failure(MLflowFailure(.invalid, "the request is too large"), status: .contentTooLarge)
        } catch {
            return Self.failure(MLflowFailure(of: error))
        }
    }

    private func answer(_ request: Request, _ route: Route, _ peer: Replies.Peer) async throws -> Response {
        switch route.target {
        case .health: return Self.text("OK")
        case .version: return Self.text(MLflowAPI.version)
        case .serverInfo: return Self.json(Self.serverInfo)
        case .api(let path): return try await answer(request, api: path, peer)
        case .artifact(let path): return try await artifact(request, path)
        case .artifactFolder:
            let path = Self.query(request)["path"]?.first ?? ""
            _ = try Names.artifactPath(path.hasSuffix("/") ? String(path.dropLast()) : path)
            let place = try? Artifacts.Place(path)
            let files = try place.map { try Artifacts(api: api).list($0, relative: true) } ?? []
            return Self.json(files.isEmpty ? [:] : ["files": .array(files)])
        case .notOffered:
            throw MLflowFailure(
                .notImplemented,
                "Multipart transfer is not supported for the current artifact repository: artifacts go in one piece")
        case .runFile: return try await runFile(request)
        case .versionFile: return try await versionFile(request)
        case .upload: return try await upload(request)
        case .none: throw RouteFailure.unknown
        }
    }

    private static let serverInfo: JSON = [
        "store_type": "SqlStore", "workspaces_enabled": false, "trace_archival_enabled": false,
        "multipart_uploads_enabled": false, "multipart_downloads_enabled": false,
        "presigned_upload_run_id_supported": false, "presigned_upload_model_id_supported": false,
        "features_enabled": ["gateway": false],
    ]

    // MARK: The API

    private func answer(_ request: Request, api path: String, _ peer: Replies.Peer) async throws -> Response {
        let buffer = try await request.body.collect(upTo: Self.largestBody)
        let method = request.method
        if method == .post || method == .put {
            let type = request.headers[.contentType]?.prefix { $0 != ";" }
            guard let type else { throw MLflowFailure.invalid("Bad Request. Content-Type header is missing.") }
            guard type.lowercased() == "application/json" else {
                throw MLflowFailure.invalid("Bad Request. Content-Type must be one of ['application/json'].")
            }
        }
        if method == .get, path == "artifacts/list" { return Self.json(try listArtifacts(request)) }
        let call = Call(method.rawValue, path, query: Self.query(request), body: Array(buffer.readableBytesView))
        guard Replies.covers(call), request.headers[.userAgent]?.hasPrefix("mlflow-") ?? false else {
            return try await response(api.answer(call), request)
        }
        let digest = Digest.of(Array(path.utf8) + [0] + buffer.readableBytesView)
        return try await response(replies.answer(digest, from: peer) { try await api.answer(call) }, request)
    }

    private func listArtifacts(_ request: Request) throws -> JSON {
        let call = Call("GET", "artifacts/list", query: Self.query(request))
        let run = try api.ledger.run(call.run())
        let path = try Names.artifactPath(call.text("path") ?? "")
        let files = try Artifacts(api: api).list(.run(run.id, path: path), relative: false)
        let root = MLflowAPI.artifactURI(run.id, try api.experiments(for: run).id(of: run))
        return .present([("root_uri", .string(root)), ("files", files.isEmpty ? nil : .array(files))])
    }

    private func response(_ answer: Answer, _ request: Request) async throws -> Response {
        switch answer {
        case .json(let json): return Self.json(json)
        case .text(let text): return Self.text(text)
        case .bytes(let bytes, let name): return Self.file(bytes, name)
        case .content(let digest, let size, let name):
            guard let file = try await api.ledger.file(of: digest, size: size) else {
                throw MLflowFailure.missing("the content of \(name) is neither here nor at the remote")
            }
            return try FileAnswer(file, size: size, digest: digest, name: name).response(request)
        }
    }

    // MARK: Artifacts

    private func artifact(_ request: Request, _ path: String) async throws -> Response {
        let place = try Artifacts.Place(path)
        switch request.method {
        case .get, .head: return try await response(Artifacts(api: api).read(place), request)
        case .put:
            try await take(request, at: place)
            return Self.text("")
        case .delete:
            try Artifacts(api: api).remove(place)
            return Self.json([:])
        default: throw RouteFailure.wrongMethod
        }
    }

    /// Writes a body to a file piece by piece and takes it in.
    private func take(_ request: Request, at place: Artifacts.Place) async throws {
        let file = api.repository.mlDirectory.appending("objects").appending("incoming").appending("\(UUIDv7())")
        defer { Files.remove(file) }
        try Files.makeDirectory(file.removingLastComponent())
        let output = try FileDescriptor.open(
            file, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
        do {
            for try await piece in request.body { _ = try output.writeAll(piece.readableBytesView) }
            try output.close()
        } catch {
            try? output.close()
            throw error
        }
        try Artifacts(api: api).put(file, at: place)
    }

    private func runFile(_ request: Request) async throws -> Response {
        let call = Call("GET", "get-artifact", query: Self.query(request))
        let path = try Names.artifactPath(call.required("path"))
        let run = try api.ledger.run(call.run())
        return try await response(Artifacts(api: api).read(.run(run.id, path: path)), request)
    }

    private func versionFile(_ request: Request) async throws -> Response {
        let call = Call("GET", "model-versions/get-artifact", query: Self.query(request))
        let path = try Names.artifactPath(call.required("path"))
        let place = Artifacts.Place.version(try call.required("name"), try api.number(call), path: path)
        return try await response(Artifacts(api: api).read(place), request)
    }

    private func upload(_ request: Request) async throws -> Response {
        let call = Call("POST", "upload-artifact", query: Self.query(request))
        for name in ["run_uuid", "path"] where try call.text(name) ?? "" == "" {
            throw MLflowFailure.invalid("Request must specify \(name).")
        }
        let path = try Names.artifactPath(call.required("path"))
        try await take(request, at: .run(try call.run(), path: path))
        return Self.text("")
    }
}
