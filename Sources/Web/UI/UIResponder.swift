internal import Base
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Runs

/// Brings a browser's request to a view and the page back.
struct UIResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let views: Views
    let assets: Assets
    let access: Access

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        await withTaskExecutorPreference(BlockingExecutor.shared) { await answer(request) }
    }

    private func answer(_ request: Request) async -> Response {
        let wantsJSON = request.uri.path.hasSuffix(".json")
        do {
            try access.check(
                host: request.head.authority, origin: request.headers[.origin],
                authorization: request.headers[.authorization], needs: .read)
            guard request.method == .get || request.method == .head else {
                return Self.problem(.methodNotAllowed, "Nothing can be changed here", views.site)
            }
            return try await answer(request, request.uri.path.split(separator: "/").map(String.init))
        } catch let failure as FilterFailure where wantsJSON {
            let json: JSON = ["error": .string(failure.reason), "column": .int(Int64(failure.column))]
            return Self.response(.badRequest, "application/json", json.encoded())
        } catch let failure as MLflowFailure where failure.code == .unauthenticated {
            return WebResponder.failure(failure)
        } catch {
            // Whoever may not ask is told nothing of the repository.
            if let failure = error as? MLflowFailure, failure.code == .denied {
                return WebResponder.page(.forbidden, "Forbidden", Markup.escape(failure.message))
            }
            let status = Self.status(of: error)
            if wantsJSON {
                return Self.response(status, "application/json", (["error": .string("\(error)")] as JSON).encoded())
            }
            return Self.problem(status, "\(error)", views.site)
        }
    }

    private static func status(of error: any Error) -> HTTPResponse.Status {
        if let failure = error as? MLflowFailure { return HTTPResponse.Status(code: failure.code.status) }
        switch (error as? any Failure)?.kind {
        case .user: return .badRequest
        case .notFound: return .notFound
        case .remote: return .badGateway
        default: return .internalServerError
        }
    }

    private func answer(_ request: Request, _ path: [String]) async throws -> Response {
        let arguments = WebResponder.query(request)
        func name(_ place: Int) -> String { PercentCode.decode(path[place]) ?? path[place] }
        switch (path.count, path.first) {
        case (0, _): return Self.page(try views.runs(), views.site)
        case (1, "runs.json"): return WebResponder.json(try views.rows(arguments))
        case (1, "best.json"): return WebResponder.json(try views.best(arguments))
        case (1, "events"): return LiveChanges(views.ledger.repository).response
        case (1, "compare"): return Self.page(try views.compare(arguments["run"] ?? []), views.site)
        case (1, "compare.json"): return WebResponder.json(try views.comparison(arguments["run"] ?? []))
        case (1, "data"): return Self.page(try await views.data(), views.site)
        case (1, "models"): return Self.page(try views.models(), views.site)
        case (1, "deliveries"): return Self.page(try views.deliveries(), views.site)
        case (2, "assets"):
            guard let file = try assets.file(path[1]) else { break }
            return Self.response(.ok, file.type, file.bytes)
        case (2, "data"): return Self.page(try views.content(name(1)), views.site)
        case (2, "runs"): return Self.page(try await views.run(name(1)), views.site)
        case (2, "models"): return Self.page(try views.model(name(1)), views.site)
        case (2, "deliveries"): return Self.page(try await views.delivery(name(1)), views.site)
        case (3, "runs") where path[2] == "curves.json":
            return WebResponder.json(try await views.curves(name(1), arguments))
        case (3, "runs") where path[2] == "file":
            return try await artifact(
                request, name(1), arguments["path"]?.first ?? "", isDownload: arguments["download"] != nil)
        default: break
        }
        return Self.problem(.notFound, "There is no page at \(request.uri.path)", views.site)
    }

    // MARK: Answers

    private func artifact(_ request: Request, _ run: String, _ path: String, isDownload: Bool) async throws -> Response
    {
        let item = try views.item(path, of: run)
        guard let file = try await views.ledger.file(of: item.digest, size: item.size) else {
            return Self.problem(.notFound, "The content of \(path) is neither here nor at the remote", views.site)
        }
        let name = path.split(separator: "/").last.map(String.init) ?? "file"
        var response = try FileAnswer(file, size: item.size, digest: item.digest, name: name).response(request)
        if !isDownload, let preview = Preview(path: path, size: item.size) {
            response.headers[.contentType] = preview.type
            response.headers[.contentDisposition] = nil
        }
        response.headers[.contentSecurityPolicy] = ContentPolicy.artifact
        return response
    }

    private static func page(_ page: SitePage, _ site: Site) -> Response {
        response(.ok, "text/html; charset=utf-8", page.html(in: site).document)
    }

    private static func problem(_ status: HTTPResponse.Status, _ words: String, _ site: Site) -> Response {
        let page = SitePage("\(status.code)", nil) { Piece.empty("There is nothing to show", words) }
        return response(status, "text/html; charset=utf-8", page.html(in: site).document)
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ bytes: [UInt8]) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.contentLength] = String(bytes.count)
        headers[.cacheControl] =
            type.hasPrefix("text/html") || type.hasPrefix("application/json") ? "no-store" : "no-cache"
        headers[.xContentTypeOptions] = "nosniff"
        headers[.contentSecurityPolicy] = ContentPolicy.page
        if let policy = HTTPField.Name("Referrer-Policy") { headers[policy] = "same-origin" }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
