import Base
import SystemPackage
import TestSupport
import Testing

@testable import Storage

/// Downloads from servers that misbehave: nothing wrong gets in, what may pass is tried again, and the failure says what to do.
struct BadRemoteTests {
    private static let right = (0..<100_000).map { UInt8($0 * 7 % 251) }

    private let folder: TemporaryDirectory
    private let store: ContentStore
    private let content: ContentID
    private let server: [BackgroundProcess]
    private let address: String
    private let retry: Retry

    init() async throws {
        folder = try TemporaryDirectory()
        store = ContentStore(folder.path.appending("store"))
        content = ContentID(.of(Self.right), size: 100_000)
        let port: Int
        (port, server) = try await RemoteServer.script(
            [RemoteServer.scripts.appending("bad_store.py").string], folder, "server")
        address = "http://127.0.0.1:\(port)"
        var retry = Retry()
        retry.base = .milliseconds(1)
        self.retry = retry
    }

    private func download(_ how: String) async throws {
        let remote = RetryingRemote(HTTPRemote("\(address)/\(how)"), retry)
        try await Transfer(remote, store: store).download([content])
    }

    private func requests() throws -> [[Substring]] {
        (try Files.readText(folder.path.appending("server.log")) ?? "").split(separator: "\n").dropFirst()
            .map { $0.split(separator: " ") }
    }

    @Test(arguments: [
        "ok", "status-503-2", "status-500-3", "status-502-1", "status-429-2", "status-408-1", "busy", "cut-once",
        "cut-1",
        "cut-4096", "cut-8192", "cut-30000", "cut-65536", "cut-99999", "wrong-once",
    ])
    func `what passes is got over`(how: String) async throws {
        // One byte a try would take a hundred thousand tries.
        if how == "cut-1" {
            let part = store.root.appending("incoming").appending("\(content.digest.hex).part")
            try Files.replace(part, with: Self.right[..<99_990])
        }
        try await download(how)
        #expect(try Files.read(store.path(of: content.digest)) == Self.right)
        #expect(try Files.list(store.root.appending("incoming")).isEmpty)
        if how == "busy" {
            let times = try requests().compactMap { Double($0[0]) }
            #expect(times.count == 2 && times[1] - times[0] >= 1)
        }
        if how == "cut-30000" {
            let ranges = try requests().map { String($0[3]) }
            #expect(ranges == ["-", "bytes=30000-", "bytes=60000-", "bytes=90000-"])
        }
    }

    @Test(arguments: [
        ("status-401", RemoteFailure.Reason.unauthorized, 1), ("status-403", .forbidden, 1),
        ("status-413", .tooLarge, 1),
        ("status-418", .refused, 1), ("status-501", .outOfOrder, 1), ("status-409", .conflict, 6),
        ("status-429", .busy, 6), ("status-500", .outOfOrder, 6), ("status-503", .outOfOrder, 6),
        ("patience", .outOfOrder, 1), ("login", .unexpectedAnswer, 1),
        ("gzip", .unexpectedAnswer, 1),
    ])
    func `what does not pass is a failure, after so many tries`(
        how: String, reason: RemoteFailure.Reason, tries: Int
    ) async throws {
        let failure = await #expect(throws: RemoteFailure.self) { try await download(how) }
        #expect(failure?.reason == reason)
        #expect(failure?.kind.exitStatus == 4)
        #expect(failure?.description.hasPrefix("\(address)/\(how): ") == true)
        #expect(try requests().count == tries)
        #expect(!store.contains(content.digest, size: content.size))
    }

    @Test(arguments: [("short", 99_999), ("long", 100_001)])
    func `another length is told of with what the server says it is`(how: String, size: Int64) async throws {
        let failure = StorageFailure.wrongSize(
            content.digest, said: content.size, size: size, place: "\(address)/\(how)")
        await #expect(throws: failure) { try await download(how) }
        #expect(failure.kind.exitStatus == 5)
        #expect(!store.contains(content.digest, size: content.size))
    }

    @Test(arguments: [("ok", true), ("gzip", false), ("login", false), ("short", false), ("whole", false)])
    func `a server that cannot give a part gives none`(how: String, isGiven: Bool) async throws {
        let part = try await HTTPRemote("\(address)/\(how)").bytes(of: content, 1000..<50_000)
        #expect(part == (isGiven ? Array(Self.right[1000..<50_000]) : nil))
    }

    @Test func `wrong bytes are thrown away, and asked for once more only`() async throws {
        await #expect(throws: StorageFailure.damaged(content.digest, place: "\(address)/wrong")) {
            try await download("wrong")
        }
        #expect(try requests().count == 2)
        #expect(try Files.list(store.root.appending("incoming")).isEmpty)
    }

    @Test func `what is not there is not asked for again`() async throws {
        await #expect(throws: StorageFailure.missing(content.digest, remote: "\(address)/status-404")) {
            try await download("status-404")
        }
        #expect(try requests().count == 1)
    }

    @Test func `a server that nobody has started is an error within seconds`() async throws {
        let remote = RetryingRemote(HTTPRemote("http://127.0.0.1:\(freePort())/x"), retry)
        let failure = await #expect(throws: RemoteFailure.self) {
            try await Transfer(remote, store: store).download([content])
        }
        #expect(failure?.reason == .unreachable)
        #expect(failure?.hints.isEmpty == false)
    }

    @Test func `an http address cannot be pushed to`() async throws {
        let digest = try store.insert([1, 2, 3])
        let failure = await #expect(throws: RemoteFailure.self) {
            try await Transfer(HTTPRemote(address), store: store).upload([ContentID(digest, size: 3)])
        }
        #expect(failure?.hints.first?.contains("data.remote") == true)
    }

    // MARK: Errors of S3

    private func bucket(_ how: String) throws -> any ObjectRemote {
        let environment = [
            "HOME": folder.path.string, "AWS_ENDPOINT_URL": "\(address)/\(how)", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "the-secret",
        ]
        let remote = try objectRemote("s3://bucket/prefix", environment: environment)
        return RetryingRemote((remote as? RetryingRemote)?.base ?? remote, retry)
    }

    @Test(arguments: [
        ("NoSuchBucket-404", RemoteFailure.Reason.noSuchPlace, 1, "aws s3 mb"),
        ("AccessDenied-403", .forbidden, 1, "s3:ListBucket"), ("SlowDown-503", .busy, 6, ""),
        ("RequestTimeTooSkewed-403", .refused, 1, "timedatectl"), ("ExpiredToken-400", .unauthorized, 1, "log in"),
        ("SignatureDoesNotMatch-403", .unauthorized, 1, "AWS_SECRET_ACCESS_KEY"),
        ("InternalError-500", .outOfOrder, 6, ""),
        ("BadDigest-400", .unexpectedAnswer, 6, ""), ("EntityTooLarge-400", .tooLarge, 1, ""),
    ])
    func `a store's refusal is a sentence with what to do`(
        how: String, reason: RemoteFailure.Reason, tries: Int, hint: String
    ) async throws {
        let content = ContentID(try store.insert(Array("abc".utf8)), size: 3)
        let remote = try bucket("s3-" + how)
        let failure = await #expect(throws: RemoteFailure.self) {
            try await Transfer(remote, store: store).upload([content])
        }
        #expect(failure?.reason == reason)
        #expect(try requests().count == tries)
        let text = failure.map { "\($0) \($0.hints)" } ?? ""
        #expect(text.hasPrefix("s3://bucket/prefix: "))
        #expect(text.contains("words of the store") && !text.contains("\u{7}") && !text.contains("the-secret"))
        #expect(hint.isEmpty || text.contains(hint))
    }

    @Test func `a page instead of a listing is no empty bucket`() async throws {
        let remote = try bucket("login")
        let many = (0..<50).map { ContentID(.of("\($0)"), size: 1) }
        let failure = await #expect(throws: RemoteFailure.self) { try await remote.present(many, for: .upload) }
        #expect(failure?.reason == .unexpectedAnswer)
        await #expect(throws: RemoteFailure.self) { try await remote.check() }
    }
}
