internal import Base
internal import Storage
internal import Synchronization
internal import Transport

/// Brings one blob into a repository, by the cheapest way that the registry takes.
///
/// It is there already; another repository of the same registry has it; one PUT of the whole; parts. Each try begins a new
/// session, because one that has failed is not to be trusted.
struct BlobUpload {
    private let blob: ImageBlob
    private let session: RegistrySession
    private let progress: ByteProgress
    private var size: Int64 { blob.descriptor.size }
    private var digest: Digest { blob.descriptor.digest }

    init(_ blob: ImageBlob, _ session: RegistrySession, progress: @escaping ByteProgress) {
        self.blob = blob
        self.session = session
        self.progress = progress
    }

    /// What must be found out before the whole can go up.
    private enum Way { case whole, parts }

    /// The registry takes nothing that large at once.
    private struct TooLarge: Error { let failure: RemoteFailure }

    func isThere() async throws -> Bool {
        let path = "blobs/\(digest)"
        return try await session.options.retry.run { _ in
            var details = RegistrySession.Details()
            details.follows = true
            let answer = try await session.send("HEAD", path, details)
            switch answer.status {
            case 200:
                let length = answer.headers["content-length"].flatMap { Int64($0) }
                guard length == nil || length == size else {
                    throw RemoteFailure(
                        .unexpectedAnswer, address: "HEAD \(session.name)/\(path)",
                        detail: "the registry has \(length ?? 0) bytes under this digest instead of \(size)")
                }
                return true
            case 404: return false
            default: throw session.failure("HEAD", path, answer)
            }
        }
    }

    /// Returns whether bytes had to be moved.
    func run() async throws -> Bool {
        let way = Mutex(session.options.chunksAlways && size > session.options.chunk ? Way.parts : .whole)
        let isFirst = Mutex(true)
        return try await session.options.retry.run { _ in
            let mounts = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            // A try that ended without an answer may have arrived all the same.
            if !mounts, try await isThere() { return true }
            guard let url = try await begin(mounts: mounts) else { return false }
            do {
                try await send(to: url, by: way.withLock { $0 })
            } catch let large as TooLarge {
                guard way.withLock({ $0 }) == .whole, !RegistryOptions.refusesChunks(session.name.host) else {
                    throw large.failure
                }
                way.withLock { $0 = .parts }
                guard let url = try await begin(mounts: false) else { return false }
                try await send(to: url, by: .parts)
            }
            return true
        }
    }

    // MARK: Sessions

    /// The address of a new session; nil when the blob could be mounted instead.
    private func begin(mounts: Bool) async throws -> String? {
        if mounts, let origin = blob.origin, origin.host == session.name.host, origin != session.name {
            let path = "blobs/uploads/?mount=\(digest)&from=\(NetworkAddress.encode(origin.path, keep: "/"))"
            let answer = try await session.send("POST", path, RegistrySession.Details(body: .bytes([])))
            if answer.status == 201 { return nil }
            // Accepted means: not mounted, send it then. Anything else is tried without.
            if answer.status == 202, let url = try await location(answer, path) { return url }
        }
        let path = "blobs/uploads/"
        let answer = try await session.send("POST", path, RegistrySession.Details(body: .bytes([])))
        guard answer.status == 202 else { throw session.failure("POST", path, answer) }
        guard let url = try await location(answer, path) else {
            throw RemoteFailure(
                .unexpectedAnswer, address: "POST \(session.name)/\(path)",
                detail: "the registry begins an upload without saying where")
        }
        return url
    }

    private func location(_ answer: HTTPResponse, _ place: String) async throws -> String? {
        guard let location = answer.headers["location"] else { return nil }
        return try await session.resolve(location, against: place)
    }

    private func send(to url: String, by way: Way) async throws {
        let content = try await blob.open()
        let moved = Moved(progress)
        do {
            switch way {
            case .whole: try await sendWhole(content, to: url, moved.add)
            case .parts: try await sendParts(content, to: url, moved)
            }
        } catch {
            moved.set(0)
            throw error
        }
    }

    /// What has been reported of this try.
    private final class Moved: Sendable {
        private let total = Mutex<Int64>(0)
        private let progress: ByteProgress

        init(_ progress: @escaping ByteProgress) { self.progress = progress }

        @Sendable func add(_ bytes: Int64) {
            total.withLock { $0 += bytes }
            progress(bytes)
        }

        func set(_ bytes: Int64) { add(bytes - total.withLock { $0 }) }
    }

    private func closing(_ url: String) -> String { url + (url.contains("?") ? "&" : "?") + "digest=\(digest)" }

    private func sendWhole(_ content: BlobContent, to url: String, _ count: @escaping ByteProgress) async throws {
        let answer = try await session.send(
            "PUT", closing(url),
            details(content, from: 0, count: size, ["Content-Type": "application/octet-stream"], count))
        try await finish(answer, url, content)
    }

    private func details(
        _ content: BlobContent, from: Int64, count: Int64, _ headers: [String: String], _ progress: ByteProgress?
    ) -> RegistrySession.Details {
        RegistrySession.Details(
            headers: headers, body: content.body(from: from, count: count), isLong: true, renews: false,
            progress: progress)
    }

    /// Looks at the answer to the request that should have ended the upload.
    private func finish(_ answer: HTTPResponse, _ url: String, _ content: BlobContent) async throws {
        switch answer.status {
        case 201, 204: return
        case 413: throw TooLarge(failure: session.failure("PUT", url, answer))
        // The token ran out on the way, at the end or before: what matters is whether the blob is there.
        case 401:
            if try await isThere() { return }
            throw session.failure("PUT", url, answer).retryable(as: .unauthorized)
        case 400 where RegistryAnswer.words(answer)?.contains("DIGEST_INVALID") == true:
            // Either a file has changed since it was hashed, or the registry has lost something.
            try await Threads.result { try blob.check(content) { _ in } }
            throw session.failure("PUT", url, answer).retryable(as: .outOfOrder)
        default: throw session.failure("PUT", url, answer)
        }
    }

    // MARK: Parts

    /// Sends the blob in parts, each to where the answer before pointed.
    ///
    /// A part that broke, or whose token ran out, is gone on with where the registry stands.
    private func sendParts(_ content: BlobContent, to url: String, _ moved: Moved) async throws {
        var url = url
        var sent: Int64 = 0
        var wasAsked = false
        while sent < size {
            let part = min(session.options.chunk, size - sent)
            let state: (url: String, sent: Int64)
            do {
                state = try await sendPart(content, from: sent, part, to: url, moved.add)
                wasAsked = false
            } catch let failure as RemoteFailure where !wasAsked {
                guard let found = try? await ask(url) else { throw failure }
                wasAsked = true
                state = found
            }
            guard state.sent <= size, state.sent >= 0 else { throw lost(url, "it has \(state.sent) bytes of \(size)") }
            (url, sent) = state
            moved.set(sent)
        }
        let details = RegistrySession.Details(
            headers: ["Content-Type": "application/octet-stream"], body: .bytes([]), isLong: true, renews: false)
        try await finish(try await session.send("PUT", closing(url), details), url, content)
    }

    private func sendPart(
        _ content: BlobContent, from: Int64, _ part: Int64, to url: String, _ count: @escaping ByteProgress
    ) async throws -> (url: String, sent: Int64) {
        let headers = ["Content-Type": "application/octet-stream", "Content-Range": "\(from)-\(from + part - 1)"]
        let answer = try await session.send("PATCH", url, details(content, from: from, count: part, headers, count))
        if answer.status == 416 { throw lost(url, "it wants another part than the one from \(from) on") }
        guard [202, 204].contains(answer.status) else { throw session.failure("PATCH", url, answer) }
        // A registry may store a part elsewhere than where it was meant to go, and say so.
        let end = Self.end(answer) ?? from + part
        guard end == from + part else { throw lost(url, "it has \(end) bytes after \(from + part) were sent") }
        return (try await location(answer, url) ?? url, end)
    }

    /// Where an upload stands: after a part that was refused, or that broke.
    private func ask(_ url: String) async throws -> (url: String, sent: Int64) {
        let answer = try await session.send("GET", url)
        guard answer.isSuccess, let end = Self.end(answer) else { throw session.failure("GET", url, answer) }
        return (try await location(answer, url) ?? url, end)
    }

    /// How many bytes there are, by `Range: 0-99`; registries write `0-0` where there is nothing yet.
    private static func end(_ answer: HTTPResponse) -> Int64? {
        guard let range = answer.headers["range"] else { return nil }
        let last = range.split(separator: "-").last.flatMap { Int64($0) }
        return last.map { $0 == 0 ? 0 : $0 + 1 }
    }

    private func lost(_ url: String, _ detail: String) -> RemoteFailure {
        RemoteFailure(
            .outOfOrder, address: "PATCH \(NetworkAddress.withoutSecrets(url))",
            detail: "the registry lost count: \(detail)")
    }
}
