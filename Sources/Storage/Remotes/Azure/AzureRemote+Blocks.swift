internal import Base
internal import SystemPackage
internal import Transport

/// Sends one content in blocks and then their list, which is what makes it visible.
extension AzureRemote {
    private struct Block: Sendable {
        let number: Int
        let start: Int64
        let size: Int64
    }

    func uploadBlocks(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let size = parts.size(for: content.size)
        let plan = (0..<Int((content.size + size - 1) / size)).map {
            let start = Int64($0) * size
            return Block(number: $0, start: start, size: min(size, content.size - start))
        }
        let sent = try await uncommitted(content)
        let names = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            var names: [Int: String] = [:]
            for (i, block) in plan.enumerated() {
                if i >= parts.width, let (number, name) = try await group.next() { names[number] = name }
                group.addTask {
                    (block.number, try await send(block, of: content, from: file, sent: sent, progress))
                }
            }
            for try await (number, name) in group { names[number] = name }
            return names.sorted { $0.key < $1.key }.map(\.value)
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
        _ block: Block, of content: ContentID, from file: FilePath, sent: [String: Int64],
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> String {
        try Task.checkCancellation()
        var hasher = Digest.Hasher()
        let md5 = try MD5.of { put in
            try Files.readPieces(of: file, from: block.start, count: block.size) {
                hasher.update($0)
                try put($0)
            }
        }
        let number = String(block.number)
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
        call.body = .range(file, from: block.start, count: block.size)
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
