internal import Base
internal import SystemPackage

/// One sftp conversation over the `ssh` program, which knows keys, agents, jump hosts and known hosts.
///
/// Requests are sent before earlier ones are answered, so that a distant host costs few round trips.
final class SFTPSession: @unchecked Sendable {  // one thread at a time uses it: ``SFTPSessions`` sees to that
    /// A request that the other side did not fulfil.
    struct Refusal: Error, Equatable {
        static let noSuchFile: UInt32 = 2

        let code: UInt32
        let message: String
    }

    private let account: SSHAccount
    private let child: Coprocess
    private var lastID: UInt32 = 0
    private var early: [UInt32: (kind: UInt8, body: SFTPReader)] = [:]
    private(set) var extensions: Set<String> = []

    init(_ account: SSHAccount, _ ssh: SSHCommand) throws {
        self.account = account
        let program = ssh.program.contains("/") ? FilePath(ssh.program) : ChildProcess.find(ssh.program)
        guard let program else { throw ProcessFailure.notFound(program: ssh.program) }
        child = try Coprocess(
            program, try ssh.arguments(account, subsystem: "sftp"), environment: Daemon.currentEnvironment())
        var hello = SFTPWriter()
        hello.put(SFTPKind.initialize)
        hello.put(UInt32(3))
        send(hello.bytes)
        var (kind, body) = try packet()
        guard kind == SFTPKind.version, body.number32() ?? 0 >= 3 else { throw unintelligible }
        while let name = body.text(), body.string() != nil { extensions.insert(name) }
    }

    // MARK: Packets

    private func send(_ body: [UInt8]) {
        var frame = SFTPWriter()
        frame.put(body)
        child.send(frame.bytes)
    }

    /// Sends a request and returns its number; `fill` writes what follows it.
    func request(_ kind: UInt8, _ fill: (inout SFTPWriter) -> Void) -> UInt32 {
        lastID &+= 1
        var body = SFTPWriter()
        body.put(kind)
        body.put(lastID)
        fill(&body)
        send(body.bytes)
        return lastID
    }

    private func packet() throws -> (kind: UInt8, body: SFTPReader) {
        guard let head = child.bytes(4) else { throw ended() }
        let size = head.reduce(0) { $0 << 8 | Int($1) }
        // What is longer is no packet but the words of a login script.
        guard (1...(1 << 20)).contains(size) else { throw unintelligible }
        guard let bytes = child.bytes(size), let kind = bytes.first else { throw ended() }
        return (kind, SFTPReader(Array(bytes.dropFirst())))
    }

    /// The answer to a request; those to others that come before it are kept.
    func answer(_ id: UInt32) throws -> (kind: UInt8, body: SFTPReader) {
        if let answer = early.removeValue(forKey: id) { return answer }
        while true {
            var (kind, body) = try packet()
            guard let number = body.number32() else { throw unintelligible }
            if number == id { return (kind, body) }
            early[number] = (kind, body)
        }
    }

    /// Takes the answer to a request that is only done or not done.
    func done(_ id: UInt32) throws {
        let answer = try answer(id)
        guard answer.kind == SFTPKind.status else { throw unintelligible }
        if let refusal = refusal(answer.body) { throw refusal }
    }

    /// Nil for OK.
    func refusal(_ body: SFTPReader) -> Refusal? {
        var body = body
        let code = body.number32() ?? 4
        return code == 0 ? nil : Refusal(code: code, message: LFSRefusal.clean(body.text() ?? ""))
    }

    // MARK: Failures

    var unintelligible: RemoteFailure {
        RemoteFailure(
            .unexpectedAnswer, address: account.host, detail: "it does not speak sftp",
            hints: [
                "a login script there may print something: `ssh \(shellQuoted(account.host)) true` must print nothing"
            ])
    }

    /// ssh has ended: its own words say why.
    private func ended() -> RemoteFailure {
        _ = child.rest()
        let status = child.wait()
        let words = String(decoding: child.errors, as: UTF8.self)
        let line = words.split(whereSeparator: \.isNewline).last.map { LFSRefusal.clean(String($0)) }
        let isFinal = [
            "Permission denied", "Host key verification failed", "Could not resolve hostname", "Bad configuration",
            "subsystem request failed", "not known", "identification has changed",
        ].contains { words.contains($0) }
        return RemoteFailure(
            isFinal ? .unauthorized : .unreachable, address: account.host,
            detail: "ssh ended with status \(status)" + (line.map { ": \($0)" } ?? ""), retryable: !isFinal,
            hints: isFinal ? ["try `sftp \(shellQuoted(account.host))` by hand: it must work without questions"] : [])
    }
}

// MARK: - Small requests

extension SFTPSession {
    func open(_ path: String, flags: UInt32) -> UInt32 {
        request(SFTPKind.open) {
            $0.put(path)
            $0.put(flags)
            $0.put(UInt32(0))
        }
    }

    /// The handle that an `open` was answered with.
    func handle(_ id: UInt32) throws -> [UInt8] {
        var answer = try answer(id)
        if answer.kind == SFTPKind.status, let refusal = refusal(answer.body) { throw refusal }
        guard answer.kind == SFTPKind.handle, let handle = answer.body.string() else { throw unintelligible }
        return Array(handle)
    }

    func close(_ handle: [UInt8]) -> UInt32 { request(SFTPKind.close) { $0.put(handle) } }
    func remove(_ path: String) -> UInt32 { request(SFTPKind.remove) { $0.put(path) } }
    func stat(_ path: String) -> UInt32 { request(SFTPKind.stat) { $0.put(path) } }

    func makeDirectory(_ path: String) -> UInt32 {
        request(SFTPKind.mkdir) {
            $0.put(path)
            $0.put(UInt32(0))
        }
    }

    /// Refused where `new` is there already.
    ///
    /// OpenSSH's `posix-rename` would go over it, and with it over what another that sends the same has just completed.
    func rename(_ old: String, to new: String) -> UInt32 {
        request(SFTPKind.rename) {
            $0.put(old)
            $0.put(new)
        }
    }

    /// The size that a `stat` or `fstat` was answered with; nil when there is no such file.
    func size(_ id: UInt32) throws -> Int64? {
        var answer = try answer(id)
        if answer.kind == SFTPKind.status {
            guard let refusal = refusal(answer.body), refusal.code != Refusal.noSuchFile else { return nil }
            throw refusal
        }
        guard answer.kind == SFTPKind.attributes else { throw unintelligible }
        return answer.body.size()
    }

    /// The sizes of many files; nil for those that are not there.
    func sizes(_ paths: [String]) throws -> [Int64?] {
        var sizes: [Int64?] = []
        var waiting: [UInt32] = []
        var next = 0
        while next < paths.count || !waiting.isEmpty {
            while next < paths.count, waiting.count < 512 {
                waiting.append(stat(paths[next]))
                next += 1
            }
            for id in waiting.prefix(256) { sizes.append(try size(id)) }
            waiting.removeFirst(min(256, waiting.count))
        }
        return sizes
    }
}
