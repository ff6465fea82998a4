internal import Base
public import SystemPackage
internal import Transport

/// A web server that can only be read: content lies at `<prefix>/aa/bb/<oid>`.
public struct HTTPRemote: ObjectRemote {
    private let base: String
    public let address: String

    /// The URL may carry a user and a password; they go to that host only.
    init(_ url: String) {
        base = url.hasSuffix("/") ? url : url + "/"
        address = NetworkAddress.withoutSecrets(url)
    }

    private func request(_ method: String, _ content: ContentID) -> HTTPRequest {
        var request = HTTPRequest(method, base + content.key)
        request.redirects = .followed
        request.timeout = nil
        return request
    }

    public func check() async throws {
        var request = HTTPRequest("HEAD", base)
        request.redirects = .followed
        let answer = try await RemoteFailure.send(request, address: address)
        // Many servers list no folder: only what says that nothing can be read is a failure.
        guard answer.status < 500, ![401, 407, 429].contains(answer.status) else {
            throw RemoteFailure(answer, address: address)
        }
    }

    /// One HEAD each, many at once: such a server has no listing.
    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        try await withThrowingTaskGroup(of: ContentID?.self) { group in
            var found: Set<ContentID> = []
            for (i, content) in Set(contents).enumerated() {
                if i >= 16, let one = try await group.next(), let one { found.insert(one) }
                group.addTask { try await size(of: content) == content.size ? content : nil }
            }
            for try await case let one? in group { found.insert(one) }
            return found
        }
    }

    public func size(of content: ContentID) async throws -> Int64? {
        let answer = try await RemoteFailure.send(request("HEAD", content), address: address)
        switch answer.status {
        case 200: return answer.headers["content-length"].flatMap { Int64($0) }
        case 404, 410: return nil
        default: throw RemoteFailure(answer, address: address)
        }
    }

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        throw RemoteFailure(
            .refused, address: address, detail: "an http address can only be read from",
            hints: ["set `data.remote` in ml.yaml to where data can be pushed: s3://, gs://, az://, ssh:// or file://"])
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var request = request("GET", content)
        request.sink = .file(file, size: content.size)
        request.progress = progress
        let answer = try await RemoteFailure.send(request, address: address)
        if [404, 410].contains(answer.status) { throw StorageFailure.missing(content.digest, remote: address) }
        guard answer.isSuccess else { throw RemoteFailure(answer, address: address) }
    }

    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        let part = RangeRequest(range)
        var request = request("GET", content)
        request.headers["Range"] = part.header
        request.sink = part.sink
        return try await part.send { [request] in
            let answer = try await RemoteFailure.send(request, address: address)
            if [404, 410].contains(answer.status) { throw StorageFailure.missing(content.digest, remote: address) }
            guard answer.isSuccess else { throw RemoteFailure(answer, address: address) }
            return answer
        }
    }
}
