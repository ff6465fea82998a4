internal import Base
internal import SystemPackage
internal import Transport

/// Sends one content in blocks and then their list, which is what makes it visible.
extension AzureRemote {
    func uploadBlocks(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let sent = try await uncommitted(content)
        let names = try await parts.each(parts.plan(content.size)) {
            try await send($0, of: content, from: file, sent: sent, progress)
        }
        try await commit(content, names)
    }

    /// The blocks that an interrupted upload left, by name, with their sizes.
    private func uncommitted(_ content: ContentID) async throws -> [String: Int64] {
        var call = Call("GET", key(content))
        call.query = [("comp", "blocklist"), ("blocklisttype", "uncommitted")]
        let answer = try await send(call)
        if answer.status == 404 || answer.status == 403 { return [:] }
        guard answer.isSuccess else { throw failure(answer) }
        let blocks = XMLElement.parse(answer.body)?["UncommittedBlocks"]?.all("Block") ?? []
        return Dictionary(
            blocks.compactMap { block in
                guard let name = block["Name"]?.text, let size = block["Size"].flatMap({ Int64($0.text) }) else {
                    return nil
                }
                return (name, size)
            }
        ) { $1 }
    }

    /// Sends a block under a name that holds its digest, so that one of that name is known to be right.
    private func send(
        _ block: Part, of content: ContentID, from file: FilePath, sent: [String: Int64],
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> String {
        var hasher = Digest.Hasher()
        let md5 = try MD5.of { put in
            try block.read(file) {
                hasher.update($0)
                try put($0)
            }
        }
        let number = String(block.index)
        let id =
            String(repeating: "0", count: max(0, 6 - number.count)) + number + "-"
            + hasher.finish().hex.prefix(32)
        let name = Base64.encode(Array(id.utf8))
        if sent[name] == block.size {
            progress(block.size)
            return name
        }
        var call = Call("PUT", key(content))
        call.query = [("comp", "block"), ("blockid", name)]
        call.headers = ["Content-MD5": Base64.encode(md5)]
        call.body = block.body(file)
        call.length = block.size
        call.progress = progress
        let answer = try await send(call)
        guard answer.isSuccess else { throw failure(answer) }
        return name
    }

    private func commit(_ content: ContentID, _ names: [String]) async throws {
        let items = names.map { "<Latest>\($0)</Latest>" }.joined()
        let text = Array("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>\(items)</BlockList>".utf8)
        var call = Call("PUT", key(content))
        call.query = [("comp", "blocklist")]
        call.headers = [
            "Content-Type": "application/xml", "x-ms-blob-content-type": "application/octet-stream",
            "Content-MD5": Base64.encode(MD5.of { put in text.withUnsafeBytes { try? put($0) } }),
        ]
        call.body = .bytes(text)
        call.length = Int64(text.count)
        let answer = try await send(call)
        if answer.isSuccess { return }
        let code = answer.headers["x-ms-error-code"] ?? XMLElement.parse(answer.body)?["Code"]?.text
        guard code == "InvalidBlockList" || code == "InvalidBlockId" else { throw failure(answer) }
        // Another who sends the same was done first, and the service threw away what was not in its list.
        guard try await size(of: content) == content.size else {
            throw RemoteFailure(
                .outOfOrder, address: address, detail: "the service has forgotten blocks that it was sent",
                status: answer.status, retryable: true)
        }
    }
}
