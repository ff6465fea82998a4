internal import Base
internal import Transport

extension S3Remote {
    /// So few are asked for one by one.
    private static let few = 32

    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        let wanted = Set(contents).sorted { $0.digest < $1.digest }
        if wanted.isEmpty { return [] }
        // Each task asks for a run of neighbours.
        let tasks = min(width, wanted.count <= Self.few ? wanted.count : (wanted.count + 99) / 100)
        let size = (wanted.count + tasks - 1) / tasks
        return try await withThrowingTaskGroup(of: [ContentID].self) { group in
            for start in stride(from: 0, to: wanted.count, by: size) {
                let run = Array(wanted[start..<min(start + size, wanted.count)])
                group.addTask {
                    try await wanted.count <= Self.few ? ask(run) : list(run)
                }
            }
            var found: Set<ContentID> = []
            for try await some in group { found.formUnion(some) }
            return found
        }
    }

    private func ask(_ run: [ContentID]) async throws -> [ContentID] {
        var found: [ContentID] = []
        for content in run where try await size(of: content) == content.size { found.append(content) }
        return found
    }

    /// The size of what lies at the store; nil when there is nothing.
    public func size(of content: ContentID) async throws -> Int64? {
        let answer = try await client.send(S3Client.Call("HEAD", key(content)))
        switch answer.status {
        case 200:
            guard let size = answer.headers["content-length"].flatMap({ Int64($0) }) else {
                throw client.noListing(answer)
            }
            return size
        case 404: return nil
        default: throw client.failure(answer)
        }
    }

    /// Finds neighbours by listing, which gives a thousand a call.
    ///
    /// It goes on behind what was listed, or at the next that is wanted, whichever comes later. So it costs no more calls than there are pages, and no more than are wanted.
    private func list(_ run: [ContentID]) async throws -> [ContentID] {
        var found: [ContentID] = []
        var rest = run[...]
        var after = ""
        while let next = rest.first {
            // The key without its last digit stands right before it.
            after = max(after, String(key(next).dropLast()))
            let page = try await page(after: after)
            var sizes: [String: Int64] = [:]
            for entry in page.entries { sizes[entry.key] = entry.size }
            // What the page has gone past is settled; the last page settles everything.
            let before = rest.count
            while let content = rest.first, let last = page.last, key(content) <= last {
                if sizes[key(content)] == content.size { found.append(content) }
                rest.removeFirst()
            }
            let settled = before - rest.count
            if !page.goesOn { break }
            // A store that does not know where to begin, or holds far more than is wanted, is asked one by one.
            guard let first = page.entries.first, let last = page.last, first.key > after, settled > 2 else {
                return try await found + ask(Array(rest))
            }
            after = last
        }
        return found
    }

    private struct Page {
        var entries: [(key: String, size: Int64)]
        var goesOn: Bool
        var last: String? { entries.last?.key }
    }

    private func page(after: String) async throws -> Page {
        var call = S3Client.Call("GET", nil)
        call.query = [("list-type", "2"), ("prefix", prefix), ("start-after", after)]
        let answer = try await client.send(call)
        guard answer.isSuccess else { throw client.failure(answer) }
        guard let root = XMLElement.parse(answer.body), root.name == "ListBucketResult" else {
            throw client.noListing(answer)
        }
        let entries = root.all("Contents").compactMap { entry -> (key: String, size: Int64)? in
            guard let key = entry["Key"]?.text, let size = entry["Size"].flatMap({ Int64($0.text) }) else { return nil }
            return (key, size)
        }
        return Page(entries: entries, goesOn: root["IsTruncated"]?.text == "true")
    }
}
