import Base
import SystemPackage
import TestSupport
import Testing

@testable import Pointers

struct PointerTests {
    private static let oid = String(repeating: "ab", count: 32)
    private static let version = "version https://git-lfs.github.com/spec/v1\n"

    @Test func `what is written reads back the same`() throws {
        let pointer = Pointer(digest: .of("abc"), size: 3)
        #expect(try Pointer.parse(Array(pointer.text.utf8), path: "a") == pointer)
    }

    @Test(arguments: ["", "hello", "version 1\n", "version https://git-lfs.github.com/spec/v2\noid sha256:x\n"])
    func `a text that does not begin like a pointer is none`(text: String) {
        #expect(throws: PointerFailure.notAPointer(path: "a")) { try Pointer.parse(Array(text.utf8), path: "a") }
    }

    @Test(arguments: [
        ("oid sha256:\(oid)\n", 3), ("oid sha256:abc\nsize 3\n", 2), ("size 3\noid sha256:\(oid)\n", 3),
        ("oid md5:\(oid)\nsize 3\n", 2), ("oid sha256:\(oid)\nsize -3\n", 3), ("oid sha256:\(oid)\nsize 3.0\n", 3),
        ("oid sha256:\(oid)\nsize 99999999999999999999\n", 3), ("oid sha256:\(oid)\nsize\n", 3),
    ])
    func `a pointer that cannot be used names its line`(rest: String, line: Int) {
        let failure = #expect(throws: PointerFailure.self) {
            try Pointer.parse(Array((Self.version + rest).utf8), path: "a")
        }
        guard case .malformed("a", let found, _) = failure else {
            return #expect(Bool(false), "\(String(describing: failure))")
        }
        #expect(found == line)
    }

    @Test func `keys that are not known are passed over`() throws {
        let text = Self.version + "ext-0-foo sha256:\(Self.oid)\noid sha256:\(Self.oid)\nsize 3\n"
        #expect(try Pointer.parse(Array(text.utf8), path: "a").size == 3)
    }

    @Test func `a file's pointer is the one that git-lfs makes`() async throws {
        let sandbox = try Sandbox()
        try sandbox.directory.write("a.bin", "some content\n")
        let theirs = try await sandbox.sh("git lfs pointer --file=a.bin 2>/dev/null")
        let (digest, size) = try Digest.of(file: sandbox.path.appending("a.bin"))
        #expect(Pointer(digest: digest, size: size).text == theirs)
    }
}
