import Base
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pointers

struct DVCConfigTests {
    private func config(_ committed: String, local: String = "") throws -> (DVCConfig, FilePath) {
        let directory = try TemporaryDirectory()
        try directory.write(".dvc/config", committed)
        try directory.write(".dvc/config.local", local)
        return (try DVCConfig(root: directory.path, environment: [:]), directory.path)
    }

    @Test func `sections, quotes and comments are read as DVC writes them`() throws {
        let (config, _) = try config(
            """
            # mine
            [core]
                remote = store   # the default
            ['remote "store"']
                url = s3://bucket/a b
                endpointurl = "http://x:1/#y"
            ['remote "Other One"']
            URL = ../there
            """)
        #expect(config["core", "remote"]?.text == "store")
        #expect(config.remote("store", "url")?.text == "s3://bucket/a b")
        #expect(config.remote("store", "endpointurl")?.text == "http://x:1/#y")
        #expect(config.remote("Other One", "url")?.text == "../there")
        #expect(config.remotes.sorted() == ["Other One", "store"])
    }

    @Test func `the local file wins, and is known as the user's own`() throws {
        let (config, root) = try config(
            "[cache]\n dir = ../../shared\n['remote \"a\"']\n url = /x\n", local: "['remote \"a\"']\n url = /y\n")
        #expect(config.remote("a", "url")?.text == "/y")
        #expect(config.remote("a", "url")?.isOwn == true)
        #expect(config["cache", "dir"]?.isOwn == false)
        #expect(config.cache(root: root) == root.removingLastComponent().appending("shared"))
    }

    @Test func `a line that is no setting is an error`() throws {
        #expect(throws: DVCFailure.self) { try config("[core]\nremote\n") }
    }
}

struct DVCReaderTests {
    private static let md5 = "b1946ac92492d2347c6235b4d2611184"

    @Test func `outputs of a .dvc file count from its folder`() throws {
        var reader = DVCReader()
        try reader.read(
            dvcFile: """
                wdir: ..
                outs:
                - {md5: \(Self.md5), size: 6, path: data/a.txt, isexec: true}
                - {md5: \(Self.md5).dir, hash: md5, path: b, nfiles: 2, remote: far}
                - {md5: \(Self.md5), path: c, cache: false}
                """, file: "sub/deep/x.dvc")
        #expect(reader.outputs.map(\.path) == ["sub/data/a.txt", "sub/b"])
        #expect(reader.outputs.map(\.isFolder) == [false, true])
        #expect(reader.outputs.map(\.isExecutable) == [true, false])
        #expect(reader.outputs.map(\.hash.isLegacy) == [true, false])
        #expect(reader.outputs.map(\.remote) == [nil, "far"])
        #expect(reader.skipped.isEmpty)
    }

    @Test(arguments: ["/etc/passwd", "../../x", "s3://bucket/x", "a/../../../x", ".git/config"])
    func `an output outside of the repository is left out`(path: String) throws {
        var reader = DVCReader()
        try reader.read(dvcFile: "outs:\n- {md5: \(Self.md5), path: '\(path)'}\n", file: "sub/x.dvc")
        #expect(reader.outputs.isEmpty)
        #expect(reader.skipped.map(\.path).count == 1)
    }

    @Test(arguments: ["../../../../etc/x", "b1946ac92492d2347c6235b4d261118", "B1946AC92492D2347C6235B4D2611184"])
    func `what is no MD5 is refused, because it becomes a path`(text: String) throws {
        var reader = DVCReader()
        #expect(throws: YAMLFailure.self) {
            try reader.read(dvcFile: "outs:\n- {md5: '\(text)', path: x}\n", file: "x.dvc")
        }
    }

    @Test func `dvc.lock is read with the folders and the uncached outputs of dvc.yaml`() throws {
        var reader = DVCReader()
        let out = "{md5: \(Self.md5), hash: md5"
        try reader.read(
            lock: """
                schema: '2.0'
                stages:
                  train:
                    outs:
                    - \(out), path: m.bin}
                    - \(out), path: metrics.json}
                  each@1:
                    outs: [\(out), path: x}]
                """,
            pipeline: """
                stages:
                  train:
                    wdir: models
                    metrics: [metrics.json: {cache: false}]
                    outs: [m.bin]
                  each:
                    foreach: [1, 2]
                    do: {cmd: x, wdir: parts, outs: [x]}
                """, file: "p/dvc.lock")
        #expect(reader.outputs.map(\.path) == ["p/models/m.bin", "p/parts/x"])
    }

    @Test func `a dvc.lock of the first schema has its stages at the top`() throws {
        var reader = DVCReader()
        try reader.read(
            lock: "train:\n  cmd: x\n  outs:\n  - {path: m, md5: \(Self.md5)}\n", pipeline: nil, file: "dvc.lock")
        #expect(reader.outputs.map(\.path) == ["m"])
    }

    @Test(arguments: ["../x", "/etc/x", "a//b", "a/.git/hooks/x", ".GIT/x", "a/./b", "", "a\\..\\b", "git~1/x"])
    func `a list that names a file elsewhere is refused`(path: String) throws {
        let output = try output()
        let list = JSON.array([.object([.init("md5", .string(Self.md5)), .init("relpath", .string(path))])])
        #expect(throws: DVCFailure.self) { try DVCReader.list(list.encoded(), output) }
    }

    @Test func `a list that names a file twice, or is none, is refused`() throws {
        let output = try output()
        let entry = JSON.object([.init("md5", .string(Self.md5)), .init("relpath", "a")])
        #expect(throws: DVCFailure.self) { try DVCReader.list(JSON.array([entry, entry]).encoded(), output) }
        #expect(throws: DVCFailure.self) { try DVCReader.list(Array("<html>".utf8), output) }
        let files = try DVCReader.list(JSON.array([entry]).encoded(), output)
        #expect(files.map(\.path) == ["a"])
    }

    private func output() throws -> DVCOutput {
        let hash = try #require(DVCHash(Self.md5, isLegacy: false))
        return DVCOutput(
            file: "d.dvc", path: "d", hash: hash, isFolder: true, isExecutable: false, remote: nil, files: nil)
    }
}

struct DVCHashTests {
    private func matches(_ bytes: [UInt8], _ md5: String, isLegacy: Bool, piece: Int = 1000) throws -> Bool {
        var hasher = DVCHasher(isLegacy: isLegacy)
        var rest = bytes[...]
        while !rest.isEmpty {
            Array(rest.prefix(piece)).withUnsafeBytes { hasher.update($0) }
            rest = rest.dropFirst(piece)
        }
        return try #require(DVCHash(md5, isLegacy: isLegacy)).matches(hasher)
    }

    private func md5(_ bytes: [UInt8]) -> String {
        var hasher = MD5Hasher()
        hasher.update(bytes)
        return hasher.finish()
    }

    @Test func `MD5 is that of RFC 1321`() {
        #expect(md5([]) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(md5(Array("abc".utf8)) == "900150983cd24fb0d6963f7d28e17f72")
    }

    @Test func `before version 3 a text file goes by the MD5 with Unix line ends`() throws {
        let windows = Array("a\r\nb\rc\r\n".utf8)
        let unix = md5(Array("a\nb\rc\n".utf8))
        #expect(try matches(windows, unix, isLegacy: true, piece: 2))
        #expect(try !matches(windows, unix, isLegacy: false))
        #expect(try matches(windows, md5(windows), isLegacy: false))
    }

    @Test func `a binary file does not`() throws {
        let binary = Array("a\r\nb".utf8) + [0]
        #expect(try matches(binary, md5(binary), isLegacy: true))
        #expect(try !matches(binary, md5(Array("a\nb".utf8) + [0]), isLegacy: true))
    }

    @Test func `line ends across a border of 1 MiB stay, as DVC has it`() throws {
        let head = [UInt8](repeating: 0x61, count: (1 << 20) - 1)
        let text = head + Array("\r\nb\r\n".utf8)
        #expect(try matches(text, md5(head + Array("\r\nb\n".utf8)), isLegacy: true, piece: 4097))
    }

    @Test func `the older place of a cache comes first for older entries`() throws {
        let md5 = "b1946ac92492d2347c6235b4d2611184"
        let (old, new) = ("b1/946ac92492d2347c6235b4d2611184", "files/md5/b1/946ac92492d2347c6235b4d2611184")
        #expect(try #require(DVCHash(md5, isLegacy: true)).keys() == [old, new])
        #expect(try #require(DVCHash(md5, isLegacy: false)).keys(suffix: ".dir") == [new + ".dir", old + ".dir"])
    }
}

struct DVCRemoteTests {
    private static let keys = ["AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PROFILE": "me"]

    private func amazon(
        _ committed: String, local: String = "", more: [String: String] = [:]
    ) throws -> [String: String] {
        let directory = try TemporaryDirectory()
        try directory.write(".dvc/config", "['remote \"a\"']\nurl = s3://b\n" + committed)
        try directory.write(".dvc/config.local", "['remote \"a\"']\n" + local)
        var environment = Self.keys.merging(more) { $1 }
        try DVCConfig(root: directory.path, environment: [:]).amazon("a", &environment)
        return environment
    }

    @Test func `keys of the environment do not go to an endpoint that the repository names`() throws {
        let plain = try amazon("region = eu-west-1\n")
        #expect(plain["AWS_ACCESS_KEY_ID"] == "mine" && plain["AWS_REGION"] == "eu-west-1")
        let theirs = try amazon("endpointurl = http://evil:1\nprofile = me\n")
        #expect(theirs["AWS_ENDPOINT_URL"] == "http://evil:1")
        #expect(Self.keys.keys.allSatisfy { theirs[$0] == nil })
        #expect(theirs["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null")
        let allowed = try amazon("endpointurl = http://x:1\n", more: ["AWS_ENDPOINT_URL": "http://x:1"])
        #expect(allowed["AWS_ACCESS_KEY_ID"] == "mine")
        let own = try amazon("", local: "endpointurl = http://x:1\naccess_key_id = other\nsecret_access_key = s\n")
        #expect(own["AWS_ACCESS_KEY_ID"] == "other" && own["AWS_PROFILE"] == "me")
    }

    @Test func `remotes that cannot be read are named, and a remote can lie in another`() async throws {
        let directory = try TemporaryDirectory()
        try directory.write(
            ".dvc/config",
            """
            [core]
            remote = a
            ['remote "a"']
            url = s3://bucket/x
            version_aware = true
            ['remote "b"']
            url = gdrive://folder
            ['remote "c"']
            url = remote://d/sub
            ['remote "d"']
            url = \(directory.path)/store
            """)
        let config = try DVCConfig(root: directory.path, environment: [:])
        #expect(throws: DVCFailure.self) { try config.source(nil, settings: .init()) }
        #expect(throws: (any Error).self) { try config.source("b", settings: .init()) }
        #expect(throws: DVCFailure.unknownRemote("zz", known: config.remotes)) {
            try config.source("zz", settings: .init())
        }
        let nested = try config.source("c", settings: .init())
        #expect(nested?.address == "file://\(directory.path)/store/sub")
        try directory.write("store/sub/files/md5/ab/c", "content")
        let size = try await nested?.size("files/md5/ab/c")
        #expect(size == 7)
    }
}
