internal import Base
internal import SystemPackage
internal import Transport

/// When content goes up in parts, and how.
struct PartSettings: Sendable {
    var threshold: Int64 = 64 << 20
    var size: Int64 = 16 << 20
    /// At once, of one content.
    var width = 4

    /// The size of a part, so that there are at most 10,000.
    private func size(for total: Int64) -> Int64 {
        let least = (total + 9_999) / 10_000
        return max(size, (least + 0xf_ffff) & ~0xf_ffff)
    }

    /// The parts of a content of so many bytes.
    func plan(_ total: Int64) -> [Part] {
        let size = size(for: total)
        return (0..<Int((total + size - 1) / size)).map {
            let start = Int64($0) * size
            return Part(index: $0, start: start, size: min(size, total - start))
        }
    }

    /// Sends the parts of a plan, so many at once; the results come in the order of the plan.
    func each<Sent: Sendable>(
        _ plan: [Part], _ send: @escaping @Sendable (Part) async throws -> Sent
    ) async throws -> [Sent] {
        try await withThrowingTaskGroup(of: (Int, Sent).self) { group in
            var sent: [Int: Sent] = [:]
            for (i, part) in plan.enumerated() {
                if i >= width, let (index, result) = try await group.next() { sent[index] = result }
                group.addTask {
                    try Task.checkCancellation()
                    return (part.index, try await send(part))
                }
            }
            for try await (index, result) in group { sent[index] = result }
            return plan.compactMap { sent[$0.index] }
        }
    }
}

/// A stretch of a file that goes up by itself.
struct Part: Sendable {
    /// From 0.
    let index: Int
    let start: Int64
    let size: Int64

    /// Gives its bytes to `put` in pieces.
    func read(_ file: FilePath, _ put: (UnsafeRawBufferPointer) throws -> Void) throws {
        try Files.readPieces(of: file, from: start, count: size, put)
    }

    func body(_ file: FilePath) -> HTTPClient.Body { .range(file, from: start, count: size) }
}

extension RemoteFailure {
    /// An answer that should have been a listing of a `place`: a bucket, a container.
    init(noListing answer: HTTPResponse, of place: String, address: String) {
        let isPage = answer.headers["content-type"]?.hasPrefix("text/html") == true
        self.init(
            .unexpectedAnswer, address: address,
            detail: isPage
                ? "the answer is a web page, not a listing: a proxy's or a login page"
                : "the answer is no listing of a \(place)", status: answer.status,
            hints: ["check the endpoint and any proxy (`https_proxy`, `no_proxy`)"])
    }
}
