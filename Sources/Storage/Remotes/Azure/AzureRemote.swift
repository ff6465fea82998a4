internal import Base
public import SystemPackage
internal import Transport

/// A container of Azure Blob Storage: `az://account/container/prefix`.
///
/// Content lies at `<prefix>/aa/bb/<oid>` as a block blob. Content of more than 64 MiB goes up in blocks, several at once,
/// and an upload that was interrupted is continued; what nobody continues is removed by the service after a week.
public struct AzureRemote: ObjectRemote {
    static let version = "2021-12-02"

    struct Call {
        var method: String
        /// Below the container; nil: the container itself.
        var blob: String?
        var query: [(String, String)] = []
        var headers: [String: String] = [:]
        var body = HTTPClient.Body.none
        var length: Int64?
        var sink = HTTPRequest.Sink.memory(limit: 64 << 20)
        var progress: (@Sendable (Int64) -> Void)?
        var patience = Duration.seconds(60)

        init(_ method: String, _ blob: String?) {
            self.method = method
            self.blob = blob
        }
    }

    public let address: String
    let account: String
    let container: String
    private let settings: AzureSettings
    let prefix: String
    let parts: PartSettings

    init(_ place: BucketAddress, _ environment: [String: String], parts: PartSettings = PartSettings()) throws {
        let names = place.prefix.split(separator: "/")
        guard let container = names.first else { throw StorageFailure.unsupportedRemote(place.address) }
        address = place.address
        account = place.bucket
        self.container = String(container)
        prefix = names.dropFirst().map { $0 + "/" }.joined()
        settings = try AzureSettings(account: place.bucket, environment)
        self.parts = parts
    }

    var isAnonymous: Bool { if case .anonymous = settings.authorization { true } else { false } }

    func key(_ content: ContentID) -> String { prefix + content.key }

    // MARK: Speaking

    /// Sends a call, whatever its answer.
    func send(_ call: Call) async throws -> HTTPResponse {
        var base = settings.endpoint.path
        while base.hasSuffix("/") { base.removeLast() }
        let path = "\(base)/\(container)" + (call.blob.map { "/" + NetworkAddress.encode($0, keep: "/") } ?? "")
        var query = call.query
        var headers = call.headers
        headers["x-ms-version"] = Self.version
        // libcurl would say that a body is a form.
        if call.length != nil, headers["Content-Type"] == nil { headers["Content-Type"] = "application/octet-stream" }
        switch settings.authorization {
        case .anonymous: break
        case .token(let token): query += token
        case .key(let signature):
            // The range that continues a file is part of what is signed.
            if case .file(let file, let whole) = call.sink, let size = Files.status(file)?.size, 0 < size, size <= whole
            {
                headers["x-ms-range"] = "bytes=\(size)-"
            }
            headers = signature.sign(
                call.method, path: path, query: query, headers: headers, length: call.length)
        }
        let text = query.map { "\(NetworkAddress.encode($0.0))=\(NetworkAddress.encode($0.1))" }.joined(separator: "&")
        var request = HTTPRequest(
            call.method,
            "\(settings.endpoint.scheme)://\(settings.endpoint.authority)\(path)" + (text.isEmpty ? "" : "?" + text),
            headers: headers, body: call.body)
        request.timeout = nil
        request.patience = call.patience
        request.sink = call.sink
        request.progress = call.progress
        return try await RemoteFailure.send(request, address: address)
    }

    public func check() async throws {
        var call = Call("GET", nil)
        call.query = [("restype", "container"), ("comp", "list"), ("maxresults", "1"), ("prefix", prefix)]
        let answer = try await send(call)
        guard answer.isSuccess else { throw failure(answer) }
        guard XMLElement.parse(answer.body)?.name == "EnumerationResults" else { throw noListing(answer) }
    }

    // MARK: Moving

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        if content.size > parts.threshold { return try await uploadBlocks(content, from: file, progress: progress) }
        var call = Call("PUT", key(content))
        call.body = .file(file)
        call.length = content.size
        let md5 = try MD5.of { put in _ = try Files.readPieces(of: file, put) }
        call.headers = ["x-ms-blob-type": "BlockBlob", "Content-MD5": Base64.encode(md5)]
        call.progress = progress
        let answer = try await send(call)
        guard answer.isSuccess else { throw failure(answer) }
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var call = Call("GET", key(content))
        call.sink = .file(file, size: content.size)
        call.progress = progress
        let answer = try await send(call)
        guard answer.isSuccess else { throw failure(answer, content: content) }
    }

    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        let request = RangeRequest(range)
        var call = Call("GET", key(content))
        call.headers["x-ms-range"] = request.header
        call.sink = request.sink
        return try await request.send { [call] in
            let answer = try await send(call)
            guard answer.isSuccess else { throw failure(answer, content: content) }
            return answer
        }
    }
}
