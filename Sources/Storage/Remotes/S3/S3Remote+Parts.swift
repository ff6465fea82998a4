internal import Base
internal import SystemPackage
internal import Transport

/// Sends one content in parts: begins or finds the upload, sends what it lacks, and puts it together.
extension S3Remote {
    func uploadParts(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var done: [Int: SentPart] = [:]
        let upload: String
        if let old = try await unfinished(content) {
            upload = old
            done = try await sent(content, upload: old)
        } else {
            upload = try await begin(content)
        }
        do {
            let sent = try await parts.each(parts.plan(content.size)) { [done] in
                try await send($0, of: content, from: file, upload: upload, old: done[$0.index + 1], progress)
            }
            try await complete(content, upload: upload, sent)
        } catch let failure as UploadGone {
            // Another who sends the same has put it together before us, or a rule of the bucket removed it.
            guard try await self.size(of: content) == content.size else { throw failure.failure }
            progress(0)
        }
    }

    /// The upload is not known any more.
    private struct UploadGone: Error { let failure: RemoteFailure }

    private func refused(_ answer: HTTPResponse) -> any Error {
        let failure = client.failure(answer)
        guard XMLElement.parse(answer.body)?["Code"]?.text == "NoSuchUpload" else { return failure }
        return UploadGone(
            failure: RemoteFailure(
                .outOfOrder, address: address, detail: "the store has forgotten an upload that was under way",
                status: answer.status, retryable: true))
    }

    // MARK: The upload

    private func begin(_ content: ContentID) async throws -> String {
        var call = S3Client.Call("POST", key(content))
        call.query = [("uploads", "")]
        call.body = .bytes([])
        call.headers["Content-Type"] = "application/octet-stream"
        if !client.isGoogle { call.headers["x-amz-checksum-algorithm"] = "SHA256" }
        let answer = try await client.send(call)
        guard answer.isSuccess else { throw client.failure(answer) }
        guard let upload = XMLElement.parse(answer.body)?["UploadId"]?.text, !upload.isEmpty else {
            throw client.noListing(answer)
        }
        return upload
    }

    /// The newest upload of this content that was begun and not ended; nil also where we may not ask.
    private func unfinished(_ content: ContentID) async throws -> String? {
        var call = S3Client.Call("GET", nil)
        call.query = [("prefix", key(content)), ("uploads", "")]
        let answer = try await client.send(call)
        guard answer.isSuccess, let root = XMLElement.parse(answer.body) else {
            if [403, 404, 405, 501].contains(answer.status) { return nil }
            throw client.failure(answer)
        }
        return root.all("Upload").filter { $0["Key"]?.text == key(content) }
            .max { $0["Initiated"]?.text ?? "" < $1["Initiated"]?.text ?? "" }?["UploadId"]?.text
    }

    /// A part that the store has.
    private struct SentPart: Sendable {
        var tag: String
        var size: Int64
        /// Base64, where the store keeps one.
        var sha256: String?
    }

    private func sent(_ content: ContentID, upload: String) async throws -> [Int: SentPart] {
        var found: [Int: SentPart] = [:]
        var marker = "0"
        while true {
            var call = S3Client.Call("GET", key(content))
            call.query = [("part-number-marker", marker), ("uploadId", upload)]
            let answer = try await client.send(call)
            guard answer.isSuccess, let root = XMLElement.parse(answer.body) else { return [:] }
            for part in root.all("Part") {
                guard let number = part["PartNumber"].flatMap({ Int($0.text) }), let tag = part["ETag"]?.text,
                    let size = part["Size"].flatMap({ Int64($0.text) })
                else { continue }
                found[number] = SentPart(tag: tag, size: size, sha256: part["ChecksumSHA256"]?.text)
            }
            guard root["IsTruncated"]?.text == "true", let next = root["NextPartNumberMarker"]?.text, next != marker
            else { return found }
            marker = next
        }
    }

    private func complete(_ content: ContentID, upload: String, _ sent: [SentPart]) async throws {
        let items = sent.enumerated().map { index, part in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(part.tag.replacing("\"", with: "&quot;"))</ETag>"
                + (part.sha256.map { "<ChecksumSHA256>\($0)</ChecksumSHA256>" } ?? "") + "</Part>"
        }
        let text = "<CompleteMultipartUpload>\(items.joined())</CompleteMultipartUpload>"
        var call = S3Client.Call("POST", key(content))
        call.query = [("uploadId", upload)]
        call.body = .bytes(Array(text.utf8))
        call.payload = Digest.of(text).hex
        call.headers["Content-Type"] = "application/xml"
        // The store may put the parts together for minutes before it answers.
        call.patience = .seconds(600)
        let answer = try await client.send(call)
        // A failure can come after the status has been sent: 200 with an error inside.
        guard answer.isSuccess, XMLElement.parse(answer.body)?.name != "Error" else { throw refused(answer) }
    }

    // MARK: The parts

    private func send(
        _ part: Part, of content: ContentID, from file: FilePath, upload: String, old: SentPart?,
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> SentPart {
        var hasher = Digest.Hasher()
        try part.read(file) { hasher.update($0) }
        let digest = hasher.finish()
        let sha256 = Base64.encode(digest.bytes)
        func md5() throws -> [UInt8] {
            try MD5.of { put in try part.read(file, put) }
        }
        if let old, old.size == part.size,
            try old.sha256 == sha256 || old.tag.filter({ $0 != "\"" }) == Hex.encode(md5())
        {
            progress(part.size)
            return old
        }
        var call = S3Client.Call("PUT", key(content))
        call.query = [("partNumber", "\(part.index + 1)"), ("uploadId", upload)]
        call.body = part.body(file)
        call.payload = digest.hex
        call.headers = try client.checksum(sha256: digest.bytes) { put in try part.read(file, put) }
        call.progress = progress
        let answer = try await client.send(call)
        guard answer.isSuccess else { throw refused(answer) }
        guard let tag = answer.headers["etag"] else { throw client.noListing(answer) }
        // A store that says nothing of the checksum does not know it, and is not told again at the end.
        return SentPart(
            tag: tag, size: part.size, sha256: answer.headers["x-amz-checksum-sha256"] == nil ? nil : sha256)
    }
}
