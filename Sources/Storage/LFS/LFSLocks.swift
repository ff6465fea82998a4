public import Base
internal import Transport

/// A file that somebody has reserved for himself on an LFS server.
public struct LFSLock: Sendable, Equatable {
    public let id: String
    public let path: String
    public let owner: String?
    /// As the server wrote it.
    public let lockedAt: String?

    init?(_ json: JSON?) {
        guard let json, let id = json["id"]?.string ?? json["id"]?.int.map(String.init), let path = json["path"]?.string
        else { return nil }
        self.id = id
        self.path = path
        owner = json["owner"]?["name"]?.string
        lockedAt = json["locked_at"]?.string
    }
}

/// Why a lock could not be set or taken away.
public enum LFSLockFailure: Failure, Equatable {
    case unsupported(String)
    case taken(path: String, owner: String?)
    case notLocked(path: String, server: String)
    case refused(path: String, owner: String?, reason: String)

    public var kind: FailureKind {
        switch self {
        case .unsupported, .taken, .refused: .user
        case .notLocked: .notFound
        }
    }

    public var description: String {
        switch self {
        case .unsupported(let server): "\(server) keeps no locks"
        case .taken(let path, let owner): "\(path) is locked already" + (owner.map { " by \($0)" } ?? "")
        case .notLocked(let path, let server): "\(path) is not locked at \(server)"
        case .refused(let path, let owner, let reason):
            "\(path) stays locked" + (owner.map { " by \($0)" } ?? "") + ": \(reason)"
        }
    }

    public var hints: [String] {
        switch self {
        case .unsupported:
            [
                "locks need an LFS server with the locking API, such as GitHub, GitLab or Gitea; agree in person meanwhile"
            ]
        case .taken: ["`git ml locks` lists who has what"]
        case .notLocked: ["`git ml locks` lists what is locked"]
        case .refused(let path, _, _):
            ["ask the owner, or take it away with `git ml unlock --force \(shellQuoted(path))`"]
        }
    }
}

/// The locks of an LFS server (git-lfs `docs/api/locking.md`).
public struct LFSLocks: Sendable {
    private let client: LFSClient
    public var address: String { client.endpoint.address.shown }

    public init(_ context: LFSContext) throws {
        client = try LFSClient(context, .upload, credentials: GitCredentials(git: context.git))
    }

    /// Locks a path, relative to the top of the repository.
    public func lock(_ path: String) async throws -> LFSLock {
        do {
            let json = try await call("POST", "/locks", body(["path": .string(path)]))
            guard let lock = LFSLock(json["lock"]) else { throw unreadable }
            return lock
        } catch let refusal as LFSRefusal where refusal.status == 409 {
            throw LFSLockFailure.taken(path: path, owner: LFSLock(refusal.body?["lock"])?.owner)
        } catch let refusal as LFSRefusal {
            throw refusal.failure
        }
    }

    /// Takes a lock away; `force` that of somebody else too.
    public func unlock(_ lock: LFSLock, force: Bool) async throws {
        let members: [JSON.Member] = force ? [.init("force", true)] : []
        do {
            _ = try await call("POST", "/locks/\(NetworkAddress.encode(lock.id))/unlock", body(.object(members)))
        } catch let refusal as LFSRefusal where refusal.status == 403 && !force {
            throw LFSLockFailure.refused(
                path: lock.path, owner: lock.owner, reason: refusal.message.map(LFSRefusal.clean) ?? "it is not yours")
        } catch let refusal as LFSRefusal {
            throw refusal.failure
        }
    }

    /// The lock of a path, or nil.
    public func find(_ path: String) async throws -> LFSLock? {
        try await list([("path", path)]).first { $0.path == path }
    }

    /// All locks, by path.
    public func all() async throws -> [LFSLock] {
        try await list([]).sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private func list(_ filter: [(String, String)]) async throws -> [LFSLock] {
        do {
            return try await pages { cursor in
                var query = filter
                if let cursor { query.append(("cursor", cursor)) }
                query.append(("limit", "100"))
                if let ref = client.context.ref { query.append(("refspec", ref)) }
                return try await call("GET", "/locks", nil, query)
            }.flatMap { ($0["locks"]?.array ?? []).compactMap { LFSLock($0) } }
        } catch let refusal as LFSRefusal {
            throw refusal.failure
        }
    }

    /// The locks that concern a push: the caller's own, and those of others.
    public func verify() async throws -> (ours: [LFSLock], theirs: [LFSLock]) {
        do {
            let answers = try await pages { cursor in
                let cursor: [JSON.Member] = cursor.map { [.init("cursor", .string($0))] } ?? []
                return try await call("POST", "/locks/verify", body(.object(cursor)))
            }
            return (
                answers.flatMap { ($0["ours"]?.array ?? []).compactMap { LFSLock($0) } },
                answers.flatMap { ($0["theirs"]?.array ?? []).compactMap { LFSLock($0) } }
            )
        } catch let refusal as LFSRefusal {
            throw refusal.failure
        }
    }

    // MARK: Plumbing

    /// Follows `next_cursor` to the end; a server that repeats itself is not followed for ever.
    private func pages(_ ask: (_ cursor: String?) async throws -> JSON) async throws -> [JSON] {
        var answers: [JSON] = []
        var cursor: String?
        var seen: Set<String> = []
        repeat {
            let answer = try await ask(cursor)
            answers.append(answer)
            cursor = answer["next_cursor"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        } while cursor.map { seen.insert($0).inserted } ?? false
        return answers
    }

    private func body(_ json: JSON) -> JSON {
        guard let ref = client.context.ref else { return json }
        return .object((json.members ?? []) + [.init("ref", ["name": .string(ref)])])
    }

    /// A server without locks answers 404, or 501 as well.
    private func call(_ method: String, _ path: String, _ body: JSON?, _ query: [(String, String)] = []) async throws
        -> JSON
    {
        do {
            return try await client.call(method, path, body, query: query)
        } catch let refusal as LFSRefusal where refusal.status == 404 || refusal.status == 501 || refusal.status == 405
        {
            throw LFSLockFailure.unsupported(address)
        }
    }

    private var unreadable: RemoteFailure {
        RemoteFailure(.unexpectedAnswer, address: address, detail: "its answer holds no lock")
    }
}
