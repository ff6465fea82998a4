import Base
import GitKit
import Pointers
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct RunArchiveTests {
    private let sandbox: Sandbox
    private let repository: Repository
    private let other: Repository
    private var file: FilePath { sandbox.path.appending("runs.jsonl") }

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        try await sandbox.sh("git clone -q work other")
        repository = try Repository(sandbox.path.appending("work"))
        other = try Repository(sandbox.path.appending("other"))
    }

    /// A run with a curve too long for a note, and an artifact.
    private func record() throws {
        let kept = LocalObjects(mlDirectory: repository.mlDirectory)
        var record = RunRecord(
            started: Timestamp(seconds: 1_700_000_000), code: try repository.resolve("HEAD"), source: .cli)
        record.params = ["lr": "0.1", "text": "a\"b\nü\u{1f600}"]
        record.series["loss"] = (0..<2000).map {
            MetricPoint(step: $0, time: Timestamp(seconds: 1_700_000_000 + $0), value: 1 / Double($0 + 1))
        }
        let artifact = try kept.keep(Array("artifact".utf8))
        record.outputs = [RunItem(path: "a.txt", digest: artifact, size: 8, role: .artifact)]
        record.end = RunRecord.End(.finished, seconds: 3)
        try RunLog(repository).notes.add([record.code: try record.lines(store: kept)], message: "test")
    }

    private func write(artifacts: Bool = false) async throws {
        let store = try RunStore(repository)
        _ = try await RunArchive.write(store.runs(), from: store, to: file, artifacts: artifacts)
    }

    private func takeIn() throws -> RunImport.Outcome {
        try RunImport(RunStore(other), settings: RecordSettings(), isDry: false).run(file, as: .archive)
    }

    @Test func `what is written here is the same lines elsewhere, curves and artifacts included`() async throws {
        try record()
        try await write(artifacts: true)
        #expect(try RunImport.format(of: file) == .archive)
        let first = try takeIn()
        #expect(first.runs.map(\.isNew) == [true])
        let head = try repository.resolve("HEAD")
        #expect(try RunLog(other).notes.lines(on: head) == RunLog(repository).notes.lines(on: head))
        let store = try RunStore(other)
        let run = try #require(try store.runs().first)
        #expect(try await store.series(of: run)["loss"]?.count == 2000)
        let kept = LocalObjects(mlDirectory: other.mlDirectory)
        #expect(try other.keptContent(.of("artifact")) == Array("artifact".utf8))
        let pending = try Files.list(kept.pending)
        #expect(pending.contains(Digest.of("artifact").hex))

        let ref = try other.ref(RunLog.ref)
        let again = try takeIn()
        #expect(again.newLines == 0)
        #expect(again.runs.map(\.isNew) == [false])
        #expect(try other.ref(RunLog.ref) == ref)
        let bytes = try Files.read(file)
        try await write(artifacts: true)
        #expect(try Files.read(file) == bytes)
    }

    @Test func `one changed byte anywhere is found, or changes nothing but an event`() async throws {
        try record()
        try await write()
        let whole = try #require(try Files.read(file))
        var generator = SeededGenerator(seed: 9)
        var refused = 0
        for _ in 0..<150 {
            var bytes = whole
            // Most of the file is the curve, and half of the changes would be there.
            let isHead = Bool.random(using: &generator)
            let at =
                isHead ? Int.random(in: 0..<200, using: &generator) : Int.random(in: bytes.indices, using: &generator)
            bytes[at] = bytes[at] == 0x41 ? 0x42 : 0x41
            let damaged = try FileDescriptor.open(
                file, .writeOnly, options: [.truncate, .create], permissions: .ownerReadWrite)
            try damaged.closeAfter { _ = try damaged.writeAll(bytes) }
            do {
                _ = try RunArchive(file, kept: unkept)
            } catch let failure as ArchiveFailure {
                refused += 1
                #expect(failure.description.hasPrefix("runs.jsonl:"))
            }
        }
        #expect(refused > 120)
    }

    @Test(arguments: [
        ("", "runs.jsonl:1: the file is empty"),
        (#"{"format":"git-ml runs","version":2}"#, "runs.jsonl:1: it is of a newer git-ml: update git-ml"),
        (#"{"format":"other"}"#, "runs.jsonl:1: it is no archive of runs"),
        ("{\"format\":\"git-ml runs\",\"version\":1}\n{\"t\":1}", "runs.jsonl:2: the line stands on no object"),
        (
            "{\"format\":\"git-ml runs\",\"version\":1}\n{\"on\":\"x\"}", "runs.jsonl:2: “on” is no object id"
        ),
        (
            "{\"format\":\"git-ml runs\",\"version\":1}\n{\"content\":\"sha256:x\"}",
            "runs.jsonl:2: the content does not match its digest"
        ),
    ])
    func `a file that is no archive is refused with its line`(text: String, wanted: String) throws {
        try Files.replace(file, with: text.utf8)
        let failure = #expect(throws: ArchiveFailure.self) { try takeIn() }
        #expect(failure?.description == wanted)
        #expect(try other.ref(RunLog.ref) == nil)
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
    func `base64 is that of RFC 4648`(text: String, coded: String) {
        #expect(Base64.encode(Array(text.utf8)) == coded)
        #expect(Base64.decode(coded) == Array(text.utf8))
    }

    @Test(arguments: ["Z", "Zg=", "Zg==Zg==", "Zh==", "Z===", "====", "Zm9v\n", "Zm-v"])
    func `other text is no base64`(text: String) { #expect(Base64.decode(text) == nil) }

    @Test func `the experiment's id is the first digits of its name's digest`() {
        #expect(MLflowWriter.experimentID("Default") == "0")
        // python3 -c "import hashlib; print(str(int(hashlib.sha256(b'churn').hexdigest(), 16))[:15])"
        #expect(MLflowWriter.experimentID("churn") == "618290957437757")
    }
}
