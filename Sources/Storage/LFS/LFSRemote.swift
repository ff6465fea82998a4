internal import Base
internal import Synchronization
public import SystemPackage
internal import Transport

/// The LFS server of a git remote: the batch API with the basic transfer.
///
/// What `present(_:for:)` was told is kept, so that moving the bytes needs no further question; an action that has
/// expired, or that the server takes no more, is asked for anew.
public struct LFSRemote: ObjectRemote {
    private let downloads: LFSActions
    private let uploads: LFSActions
    /// Asks the server that is uploaded to whether it has something.
    private let uploaded: LFSActions
    private let downloader: LFSClient
    private let uploader: LFSClient
    public let address: String
    public let width: Int

    public init(_ context: LFSContext) throws {
        let credentials = GitCredentials(git: context.git)
        // Where only one way leads to a server (``SplitRemote``), the other is never asked.
        let download = Result { try LFSClient(context, .download, credentials: credentials) }
        let upload = Result { try LFSClient(context, .upload, credentials: credentials) }
        downloader = try download.flatMapError { _ in upload }.get()
        uploader = try upload.flatMapError { _ in download }.get()
        downloads = LFSActions(downloader, .download)
        uploads = LFSActions(uploader, .upload)
        uploaded = LFSActions(uploader, .download)
        address = downloader.endpoint.address.shown
        width = min(64, max(1, context.settings.int("lfs.concurrenttransfers") ?? 8))
    }

    public func announce(_ contents: [ContentID]) { downloads.announce(contents) }

    public func check() async throws {
        // Every server can be asked for the empty content.
        _ = try await downloads.ask([ContentID(Digest.of([UInt8]()), size: 0)])
    }

    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        let answers = try await (direction == .upload ? uploads : downloads).ask(contents)
        var present: Set<ContentID> = []
        var refused: [(ContentID, code: Int, message: String)] = []
        for content in Set(contents) {
            switch answers[content] {
            case .nothingToDo where direction == .upload: present.insert(content)
            case .actions(let actions) where direction == .upload:
                if actions["upload"] == nil { present.insert(content) }
            case .actions(let actions) where actions["download"] != nil: present.insert(content)
            case .actions, .nothingToDo: break
            case .failed(let code, _) where direction == .download && (code == 404 || code == 410): break
            case .failed(let code, let message) where direction == .download && Self.isOfSize(code, message):
                throw StorageFailure.wrongSize(content.digest, said: content.size, size: nil, place: address)
            case .failed(let code, let message): refused.append((content, code, message))
            case nil: refused.append((content, 0, "it says nothing of it"))
            }
        }
        if let first = refused.min(by: { $0.0.digest < $1.0.digest }) {
            throw refusal(first.0, first.code, first.message, direction, others: refused.count - 1)
        }
        return present
    }

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        for mayRenew in [true, false] {
            guard let actions = try await self.actions(content, .upload), let action = actions["upload"] else {
                return progress(content.size)
            }
            let sent = Mutex<Int64>(0)
            let answer = try await uploader.perform(action, "PUT") { request in
                request.body = .file(file)
                request.progress = { count in
                    sent.withLock { $0 += count }
                    progress(count)
                }
                if !request.headers.keys.contains(where: { $0.lowercased() == "content-type" }) {
                    request.headers["Content-Type"] = "application/octet-stream"
                }
            }
            uploads.forget(content)
            // A body that was asked for twice, or not to its end, counts once.
            progress((answer.isSuccess ? content.size : 0) - sent.withLock { $0 })
            if answer.isSuccess { return try await confirm(content, actions["verify"]) }
            guard [401, 403, 410].contains(answer.status), mayRenew else { throw failure(answer, action, content) }
        }
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var mayRenew = true
        var mayRestart = true
        while true {
            guard let action = try await actions(content, .download)?["download"] else {
                throw StorageFailure.missing(content.digest, remote: address)
            }
            let answer = try await downloader.perform(action, "GET") { request in
                request.sink = .file(file, size: content.size)
                request.progress = progress
            }
            if answer.isSuccess { return downloads.forget(content) }
            downloads.forget(content)
            if answer.status == 416, mayRestart, let size = Files.status(file)?.size, size > 0 {
                // It does not know the place where we want to go on.
                try Files.truncate(file)
                progress(-size)
                mayRestart = false
            } else if [401, 403, 410].contains(answer.status), mayRenew {
                mayRenew = false
            } else if answer.status == 404 {
                throw StorageFailure.missing(content.digest, remote: address)
            } else {
                throw failure(answer, action, content)
            }
        }
    }

    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        let part = RangeRequest(range)
        for mayRenew in [true, false] {
            guard let action = try await actions(content, .download)?["download"] else { return nil }
            var refusal: Int?
            let bytes = try await part.send {
                let answer = try await downloader.perform(action, "GET") { request in
                    request.headers["Range"] = part.header
                    request.sink = part.sink
                }
                if answer.status == 429 || answer.status >= 500 { throw failure(answer, action, content) }
                refusal = answer.isSuccess ? nil : answer.status
                return answer
            }
            guard let refusal, [401, 403, 410].contains(refusal), mayRenew else { return bytes }
            downloads.forget(content)
        }
        return nil
    }

    // MARK: Steps

    /// Nil when the server wants nothing done.
    private func actions(_ content: ContentID, _ direction: TransferDirection) async throws -> [String: LFSAction]? {
        switch try await (direction == .upload ? uploads : downloads).answer(content) {
        case .nothingToDo: return nil
        case .actions(let actions): return actions
        case .failed(let code, _) where direction == .download && (code == 404 || code == 410):
            throw StorageFailure.missing(content.digest, remote: address)
        case .failed(let code, let message) where direction == .download && Self.isOfSize(code, message):
            throw StorageFailure.wrongSize(content.digest, said: content.size, size: nil, place: address)
        case .failed(let code, let message): throw refusal(content, code, message, direction, others: 0)
        }
    }

    /// Tells the server that it has it now, or asks whether it does.
    private func confirm(_ content: ContentID, _ action: LFSAction?) async throws {
        guard let action else {
            let answer = try await uploaded.ask([content])[content]
            guard case .failed(let code, _)? = answer, code == 404 || code == 410 else { return }
            throw RemoteFailure(
                .outOfOrder, address: uploader.endpoint.address.shown,
                detail: "it said that it has taken \(content.digest.short), and it does not have it")
        }
        let body: JSON = ["oid": .string(content.digest.hex), "size": .int(content.size)]
        let answer = try await uploader.perform(action, "POST") { request in
            request.body = .bytes(body.encoded())
            request.headers["Accept"] = LFSClient.mediaType
            request.headers["Content-Type"] = LFSClient.mediaType
            request.timeout = .seconds(120)
        }
        guard !answer.isSuccess else { return }
        // What it has not got after all can be sent again.
        guard answer.status != 404, answer.status != 422 else {
            throw RemoteFailure(
                .outOfOrder, address: action.href.shown,
                detail: "it said that it has taken \(content.digest.short), and then could not verify it",
                status: answer.status)
        }
        throw failure(answer, action, content)
    }

    // MARK: Failures

    /// Whether a server says that it has the content in another size; Gitea and giftless do, each in its own words.
    private static func isOfSize(_ code: Int, _ message: String) -> Bool {
        code == 422 && ["size", "bytes", "validate"].contains { message.lowercased().contains($0) }
    }

    private func failure(_ answer: HTTPResponse, _ action: LFSAction, _ content: ContentID) -> RemoteFailure {
        LFSRefusal(answer, try? JSON.parse(answer.body), action.href).failure
    }

    private func refusal(
        _ content: ContentID, _ code: Int, _ message: String, _ direction: TransferDirection, others: Int
    ) -> RemoteFailure {
        let client = direction == .upload ? uploader : downloader
        return RemoteFailure(
            LFSRefusal.reason(code), address: client.endpoint.address.shown,
            detail:
                "it refuses \(content.digest.short) (\(ByteCount.format(content.size))): \(LFSRefusal.clean(message))"
                + (code > 0 ? " (code \(code))" : "") + (others > 0 ? ", and \(others) more" : ""),
            status: code > 0 ? code : nil,
            retryable: code == 429 || code >= 500 && code != 501 && code != 507 && code != 509)
    }
}

extension Files {
    /// Makes a file empty.
    static func truncate(_ path: FilePath) throws {
        guard path.withPlatformString({ Storage.truncated($0) }) == 0 else {
            throw FileFailure("write", path, Errno(rawValue: errno))
        }
    }
}

/// `truncate(2)`; named apart because ``Files/truncate(_:)`` hides it.
private func truncated(_ path: UnsafePointer<CChar>) -> Int32 { truncate(path, 0) }
