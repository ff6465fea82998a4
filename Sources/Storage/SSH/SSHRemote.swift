internal import Base
internal import Synchronization
public import SystemPackage
internal import Transport

/// A folder at the other end of ssh: `ssh://user@host:port/folder`, by sftp; `ssh://host/~/folder` lies in the home folder.
///
/// Content is `<folder>/aa/bb/<oid>`. An upload goes to `<folder>/incoming/<oid>.part`, is flushed and renamed, and goes on
/// there after an interruption.
public struct SSHRemote: ObjectRemote {
    private let sessions: SFTPSessions
    let folder: String
    private let made = MadeFolders()
    public let address: String

    public var width: Int { 4 }

    public init(_ text: String, settings: LFSSettings) throws {
        guard let place = NetworkAddress(text), ["ssh", "sftp"].contains(place.scheme) else {
            throw StorageFailure.unsupportedRemote(NetworkAddress.withoutSecrets(text))
        }
        var path = NetworkAddress.decode(place.path)
        if path.hasPrefix("/~/") { path.removeFirst(3) }
        while path.hasSuffix("/"), path.count > 1 { path.removeLast() }
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw StorageFailure.unsupportedRemote(place.shown)
        }
        let account = SSHAccount(host: (place.user.map { "\($0)@" } ?? "") + place.host, port: place.port, path: path)
        let ssh = SSHCommand(settings)
        _ = try ssh.arguments(account, subsystem: "sftp")  // an address that ssh must not be given is told of at once
        sessions = SFTPSessions(account, ssh, limit: 4)
        folder = path
        address = place.shown
    }

    public func check() async throws {
        try await run { session in _ = try session.size(session.stat(".")) }
    }

    public func present(_ contents: [ContentID], for direction: TransferDirection) async throws -> Set<ContentID> {
        if contents.isEmpty { return [] }
        let paths = contents.map(path)
        let sizes = try await run { session in try session.sizes(paths) }
        return Set(zip(contents, sizes).filter { $0.size == $1 }.map(\.0))
    }

    public func size(of content: ContentID) async throws -> Int64? {
        let path = path(content)
        return try await run { session in try session.size(session.stat(path)) }
    }

    public func upload(
        _ content: ContentID, from file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let target = path(content)
        let part = "\(folder)/incoming/\(content.digest.hex).part"
        try await run { session in
            try make(target, part, session)
            do { try session.upload(file, size: content.size, to: part, progress: progress) } catch let refusal
                as SFTPSession.Refusal
            {
                made.forget()  // somebody may have removed a folder that was there
                throw refusal
            }
            try place(part, at: target, size: content.size, session)
        }
    }

    /// Puts a complete part in its place.
    ///
    /// Many may send the same: all write the same bytes to one part, the first to be done renames it. Whoever is later finds the
    /// target complete, and must not rename: the part may be one that a third has just begun.
    private func place(_ part: String, at target: String, size: Int64, _ session: SFTPSession) throws {
        for isLast in [false, true] {
            let renamed = session.rename(part, to: target)
            let found = session.stat(target)
            let refusal = Result { try session.done(renamed) }
            let there = try session.size(found)
            guard there != size else {
                if case .failure = refusal { _ = try? session.done(session.remove(part)) }
                return
            }
            guard !isLast, there != nil else {
                try refusal.get()
                throw SFTPSession.Refusal(code: 4, message: "the file there has another size")
            }
            // Damaged, or left by a program that writes in place.
            _ = try? session.done(session.remove(target))
        }
    }

    public func download(
        _ content: ContentID, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        do {
            try await sessions.with { [path = path(content)] session in
                try session.download(path, to: file, size: content.size, progress: progress)
            }
        } catch let refusal as SFTPSession.Refusal where refusal.code == SFTPSession.Refusal.noSuchFile {
            throw StorageFailure.missing(content.digest, remote: address)
        } catch let refusal as SFTPSession.Refusal {
            throw failure(refusal)
        }
    }

    public func bytes(of content: ContentID, _ range: Range<Int64>) async throws -> [UInt8]? {
        let path = path(content)
        return try await run { session in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(range.count)
            try session.read(path, range) { piece, _ in bytes += piece }
            return bytes
        }
    }

    // MARK: Plumbing

    private func path(_ content: ContentID) -> String {
        let hex = content.digest.hex
        return "\(folder)/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)"
    }

    func run<T: Sendable>(_ body: @escaping @Sendable (SFTPSession) throws -> T) async throws -> T {
        do { return try await sessions.with(body) } catch let refusal as SFTPSession.Refusal { throw failure(refusal) }
    }

    private func failure(_ refusal: SFTPSession.Refusal) -> RemoteFailure {
        let words = [2: "there is no such file or folder", 3: "it may not be written or read", 4: "it cannot be done"][
            refusal.code]
        let detail = words.map { "\($0) (\(refusal.message))" } ?? refusal.message
        return RemoteFailure(
            refusal.code == 3 ? .forbidden : refusal.code == 1 ? .otherLength : .refused, address: address,
            detail: detail,
            hints: refusal.code == 4 ? ["the disk there may be full: `df -h`"] : [])
    }

    /// Makes the folders of the files, those of the remote's own folder the first time.
    private func make(_ target: String, _ part: String, _ session: SFTPSession) throws {
        var wanted: [String] = []
        for file in [part, target] {
            var folder = file[..<(file.lastIndex(of: "/") ?? file.startIndex)]
            var own: [String] = []
            while !folder.isEmpty, !made.contains(String(folder)) {
                own.insert(String(folder), at: 0)
                folder = folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]
            }
            wanted += own.filter { !wanted.contains($0) }
        }
        let requests = wanted.map { session.makeDirectory($0) }
        // One that is there is refused; one that cannot be made is told of when the file is opened.
        for id in requests { _ = try session.answer(id) }
        made.insert(wanted)
    }
}

/// The folders at the other end that need not be made again.
private final class MadeFolders: Sendable {
    private let names = Mutex<Set<String>>([])
    func contains(_ name: String) -> Bool { names.withLock { $0.contains(name) } }
    func forget() { names.withLock { $0 = [] } }
    func insert(_ new: [String]) { names.withLock { $0.formUnion(new) } }
}
