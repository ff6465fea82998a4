import Base
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pointers

/// git's side of a conversation with the filter.
private final class FilterClient: Sendable {
    let store: ContentStore
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        store = ContentStore(directory.path.appending("objects"))
    }

    static func packet(_ bytes: [UInt8]) -> [UInt8] {
        let length = String(bytes.count + 4, radix: 16)
        return Array((String(repeating: "0", count: 4 - length.count) + length).utf8) + bytes
    }

    static func list(_ lines: [String]) -> [UInt8] {
        lines.flatMap { packet(Array(($0 + "\n").utf8)) } + Array("0000".utf8)
    }

    static func content(_ bytes: [UInt8], piece: Int = 65_516) -> [UInt8] {
        stride(from: 0, to: bytes.count, by: piece).flatMap { packet(Array(bytes[$0..<min($0 + piece, bytes.count)])) }
            + Array("0000".utf8)
    }

    static let hello =
        list(["git-filter-client", "version=2"]) + list(["capability=clean", "capability=smudge", "capability=delay"])

    /// Sends all of it and answers what the filter wrote after its greeting: each list or content of packets.
    func talk(
        _ input: [UInt8], filter: FetchFilter = FetchFilter(), fetch: @escaping FilterProcess.Fetch = { _ in }
    ) async throws -> [[[UInt8]]] {
        let (requests, answers) = (directory.path.appending("in"), directory.path.appending("out"))
        try Files.replace(requests, with: Self.hello + input)
        try Files.replace(answers, with: [])
        let source = try FileDescriptor.open(requests, .readOnly)
        let target = try FileDescriptor.open(answers, .writeOnly)
        var process = FilterProcess(store: store, filter: filter, input: source, output: target, fetch: fetch)
        try await process.run()
        try source.close()
        try target.close()
        let reader = try FileDescriptor.open(answers, .readOnly)
        defer { try? reader.close() }
        let packets = PacketLines(input: reader, output: reader)
        var lists: [[[UInt8]]] = [[]]
        while true {
            switch try packets.read() {
            case .end: return Array(lists.dropLast().dropFirst(2))
            case .flush: lists.append([])
            case .data(let bytes): lists[lists.count - 1].append(Array(bytes))
            }
        }
    }
}

struct FilterProcessTests {
    private static func bytes(_ count: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: UInt64(count))
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    @Test(arguments: [1, 1023, 4096, 4097, 65_516, 1 << 20, (1 << 20) + 1, 3_333_333], [1000, 65_516])
    func `cleaning stores the bytes and answers their pointer, however they come`(size: Int, piece: Int) async throws {
        let client = try FilterClient()
        let bytes = Self.bytes(size)
        let answer = try await client.talk(
            FilterClient.list(["command=clean", "pathname=a"]) + FilterClient.content(bytes, piece: piece))
        let pointer = Pointer(digest: .of(bytes), size: Int64(size))
        #expect(answer == [[Array("status=success\n".utf8)], [Array(pointer.text.utf8)], []])
        #expect(try Files.read(client.store.path(of: pointer.digest)) == bytes)
        #expect(try Files.list(client.store.root.appending("incoming")).isEmpty)
    }

    @Test func `an empty file and a pointer pass through`() async throws {
        let client = try FilterClient()
        let pointer = Array(Pointer(digest: .of("x"), size: 1).text.utf8)
        let answer = try await client.talk(
            FilterClient.list(["command=clean", "pathname=a"]) + FilterClient.content([])
                + FilterClient.list(["command=clean", "pathname=b"]) + FilterClient.content(pointer))
        #expect(answer[1] == [])
        #expect(answer[4] == [pointer])
        #expect(!Files.exists(client.store.root))
    }

    @Test func `a pointer with conflict markers is refused`() async throws {
        let client = try FilterClient()
        let (ours, theirs) = (Pointer(digest: .of("a"), size: 1).text, Pointer(digest: .of("b"), size: 1).text)
        let text = "<<<<<<< HEAD\n\(ours)=======\n\(theirs)>>>>>>> other\n"
        let answer = try await client.talk(
            FilterClient.list(["command=clean", "pathname=a"]) + FilterClient.content(Array(text.utf8)))
        #expect(answer == [[Array("status=error\n".utf8)]])
        #expect(try client.store.all().isEmpty)
    }

    @Test func `what is not here is delayed, brought together and answered, pointers for the rest`() async throws {
        let client = try FilterClient()
        let (here, there) = (Self.bytes(100_000), Self.bytes(5000))
        let pointers = [here, there, Array("lost".utf8)].map { Pointer(digest: .of($0), size: Int64($0.count)) }
        var input: [UInt8] = []
        for (i, pointer) in pointers.enumerated() {
            input += FilterClient.list(["command=smudge", "pathname=\(i)", "can-delay=1"])
            input += FilterClient.content(Array(pointer.text.utf8))
        }
        try client.store.insert(here)
        input += FilterClient.list(["command=list_available_blobs"])
        for i in [1, 2] { input += FilterClient.list(["command=smudge", "pathname=\(i)"]) + FilterClient.content([]) }
        input += FilterClient.list(["command=list_available_blobs"])
        let answer = try await client.talk(input) { [store = client.store] wanted in
            #expect(wanted.map(\.path) == ["1", "2"])
            _ = try? store.insert(there)
        }
        func text(_ i: Int) -> [UInt8] { answer[i].flatMap { $0 } }
        #expect(text(0) == Array("status=success\n".utf8))
        #expect(text(1) == here)
        #expect(text(3) == Array("status=delayed\n".utf8))
        #expect(text(4) == Array("status=delayed\n".utf8))
        #expect(text(5) == Array("pathname=1\npathname=2\n".utf8))
        #expect(text(8) == there)
        #expect(text(11) == Array(pointers[2].text.utf8))
        #expect(text(13).isEmpty)
    }

    @Test func `what the filter of paths leaves out is not fetched, and malformed pointers stay`() async throws {
        let client = try FilterClient()
        let pointer = Array(Pointer(digest: .of("x"), size: 1).text.utf8)
        let malformed = Array("version https://git-lfs.github.com/spec/v1\noid sha256:zz\nsize 1\n".utf8)
        let answer = try await client.talk(
            FilterClient.list(["command=smudge", "pathname=data/a.bin", "can-delay=1"]) + FilterClient.content(pointer)
                + FilterClient.list(["command=smudge", "pathname=b"]) + FilterClient.content(malformed),
            filter: FetchFilter(exclude: ["data"])
        ) { _ in Issue.record("nothing is to be fetched") }
        #expect(answer[1] == [pointer])
        #expect(answer[4] == [malformed])
    }
}

struct FetchFilterTests {
    @Test(arguments: [
        ("data", "data/x/a.bin", true), ("data/", "data/a", true), ("*.bin", "x/y.bin", true),
        ("/a.bin", "x/a.bin", false),
        ("a?.bin", "a1.bin", true), ("data/**", "other/a", false), ("data", "x/data/a", true),
        ("x/data", "x/data/a", true),
    ])
    func `patterns match files and all below folders`(pattern: String, path: String, matches: Bool) {
        #expect(FetchFilter(include: [pattern]).allows(path) == matches)
        #expect(FetchFilter(exclude: [pattern]).allows(path) != matches)
    }
}
