internal import Base
internal import Transport

extension AzureRemote {
    /// So few are asked for one by one.
    private static let few = 32

    /// Many are found by listing, five thousand a call: all that is there when that is one call, else what begins with
    /// the first two digits of those that are wanted.
    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        let wanted = Set(contents)
        if wanted.count <= Self.few { return try await each(Array(wanted)) { try await ask($0) } }
        let first = try await page(prefix, marker: nil)
        if first.next == nil { return Set(first.entries.compactMap { match($0, wanted) }) }
        let heads = Set(wanted.map { String($0.key.prefix(3)) })
        return try await each(Array(heads)) { head in
            var found: [ContentID] = []
            var marker: String?
            repeat {
                let page = try await page(prefix + head, marker: marker)
                found += page.entries.compactMap { match($0, wanted) }
                marker = page.next
            } while marker != nil
            return found
        }
    }

    private func match(_ entry: (key: String, size: Int64), _ wanted: Set<ContentID>) -> ContentID? {
        guard let digest = Digest(entry.key.suffix(64)) else { return nil }
        let content = ContentID(digest, size: entry.size)
        return entry.key == key(content) && wanted.contains(content) ? content : nil
    }

    private func each<T: Sendable>(
        _ items: [T], _ work: @escaping @Sendable (T) async throws -> [ContentID]
    ) async throws -> Set<ContentID> {
        try await withThrowingTaskGroup(of: [ContentID].self) { group in
            var found: Set<ContentID> = []
            for (i, item) in items.enumerated() {
                if i >= width, let some = try await group.next() { found.formUnion(some) }
                group.addTask { try await work(item) }
            }
            for try await some in group { found.formUnion(some) }
            return found
        }
    }

    private func ask(_ content: ContentID) async throws -> [ContentID] {
        try await size(of: content) == content.size ? [content] : []
    }

    /// The size of what lies there; nil when there is nothing.
    public func size(of content: ContentID) async throws -> Int64? {
        let answer = try await send(Call("HEAD", key(content)))
        switch (answer.status, answer.headers["x-ms-error-code"]) {
        case (200, _):
            guard let size = answer.headers["content-length"].flatMap({ Int64($0) }) else { throw noListing(answer) }
            return size
        case (404, "ContainerNotFound"): throw failure(answer)
        case (404, _): return nil
        default: throw failure(answer)
        }
    }

    private func page(
        _ prefix: String, marker: String?
    ) async throws -> (entries: [(key: String, size: Int64)], next: String?) {
        var call = Call("GET", nil)
        call.query = [("restype", "container"), ("comp", "list"), ("prefix", prefix)]
        if let marker { call.query.append(("marker", marker)) }
        let answer = try await send(call)
        guard answer.isSuccess else { throw failure(answer) }
        guard let root = XMLElement.parse(answer.body), root.name == "EnumerationResults" else {
            throw noListing(answer)
        }
        let entries = (root["Blobs"]?.all("Blob") ?? []).compactMap { blob -> (key: String, size: Int64)? in
            guard let name = blob["Name"]?.text,
                let size = blob["Properties"]?["Content-Length"].flatMap({ Int64($0.text) })
            else { return nil }
            return (name, size)
        }
        let next = root["NextMarker"]?.text ?? ""
        return (entries, next.isEmpty ? nil : next)
    }
}
