internal import Base
public import SystemPackage
internal import Transport

/// A bucket that speaks S3's protocol: `s3://bucket/prefix`, and `gs://bucket/prefix` through Google's XML interface.
///
/// Content lies at `<prefix>/aa/bb/<oid>`. Content of more than 64 MiB goes up in parts, several at once, and an upload that was
/// interrupted is continued. Uploads that nobody continues stay at the store, unseen, until a rule of the bucket (Amazon:
/// `AbortIncompleteMultipartUpload`) removes them.
public struct S3Remote: ObjectRemote {
    let client: S3Client
    let prefix: String
    let parts: PartSettings

    init(_ client: S3Client, prefix: String, parts: PartSettings = PartSettings()) {
        self.client = client
        self.prefix = prefix
        self.parts = parts
    }

    public var address: String { client.address }

    public func check() async throws {
        var call = S3Client.Call("GET", nil)
        call.query = [("list-type", "2"), ("max-keys", "1"), ("prefix", prefix)]
        let answer = try await client.send(call)
        guard answer.isSuccess else { throw client.failure(answer) }
        guard XMLElement.parse(answer.body)?.name == "ListBucketResult" else { throw client.noListing(answer) }
    }

    func key(_ content: ContentID) -> String { prefix + content.key }

    // MARK: Moving

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        if content.size > parts.threshold { return try await uploadParts(content, from: file, progress: progress) }
        var call = S3Client.Call("PUT", key(content))
        call.body = .file(file)
        call.payload = content.digest.hex
        call.headers = try client.checksum(sha256: content.digest.bytes) { put in
            try Files.readPieces(of: file, put)
        }
        call.headers["Content-Type"] = "application/octet-stream"
        call.progress = progress
        let answer = try await client.send(call)
        guard answer.isSuccess else { throw client.failure(answer) }
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var call = S3Client.Call("GET", key(content))
        call.sink = .file(file, size: content.size)
        call.progress = progress
        let answer = try await client.send(call)
        guard answer.isSuccess else { throw client.failure(answer, content: content) }
    }
}

extension S3Remote {
    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        let request = RangeRequest(range)
        var call = S3Client.Call("GET", key(content))
        call.headers["Range"] = request.header
        call.sink = request.sink
        return try await request.send { [call] in
            let answer = try await client.send(call)
            guard answer.isSuccess else { throw client.failure(answer, content: content) }
            return answer
        }
    }
}

extension S3Client {
    /// The headers by which the store checks what it received.
    ///
    /// Google does not know SHA-256 and gets an MD5, for which the bytes are read.
    func checksum(
        sha256: [UInt8], _ pieces: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) rethrows -> [String: String] {
        isGoogle
            ? ["Content-MD5": Base64.encode(try MD5.of(pieces))] : ["x-amz-checksum-sha256": Base64.encode(sha256)]
    }

    func noListing(_ answer: HTTPResponse) -> RemoteFailure {
        RemoteFailure(noListing: answer, of: "bucket", address: address)
    }
}
