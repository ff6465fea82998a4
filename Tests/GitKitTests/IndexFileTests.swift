import Base
import SystemPackage
import TestSupport
import Testing

@testable import GitKit

struct IndexFileTests {
    private func repository(_ sandbox: Sandbox, format: String, version: Int) async throws -> Repository {
        try await sandbox.sh(
            """
            git init -q --object-format=\(format) work && cd work
            git config index.version \(version)
            mkdir -p a/b && for i in 1 2 3 4 5 6 7 8 9 10 11; do echo $i > a/$i; echo x$i > a/b/$i.long-name; done
            printf z > "$(printf 'bad\\377')"; ln -s a link; chmod +x a/1
            git add . && git commit -qm first && touch -d '1 hour ago' a/*
            git update-index -q --refresh; git update-index --assume-unchanged a/2; git update-index --skip-worktree a/3
            """)
        return try Repository(sandbox.path.appending("work"))
    }

    @Test(arguments: ["sha1", "sha256"], [2, 3, 4])
    func `what is written is what git reads`(format: String, version: Int) async throws {
        let sandbox = try Sandbox()
        let repository = try await repository(sandbox, format: format, version: version)
        let before = try await sandbox.sh("git ls-files -s --debug -v | grep -v '^  size' ", in: "work")
        try sandbox.directory.write("work/new/file", "new")
        let stat = try #require(FileStat(sandbox.path.appending("work/new/file")))
        let ids = try await repository.writeBlobs([Array("new".utf8)])
        let entry = IndexFile.Entry(path: Array("new/file".utf8), mode: 0o100644, id: ids[0], stat: stat)
        let isDone = try IndexFile.update(repository, adding: [entry])
        #expect(isDone)
        let status = try await sandbox.sh("git status --porcelain; git fsck", in: "work")
        #expect(status == "A  new/file\n")
        let isRemoved = try IndexFile.update(repository, adding: [], removing: [Array("new/file".utf8)])
        #expect(isRemoved)
        let after = try await sandbox.sh("git ls-files -s --debug -v | grep -v '^  size' ", in: "work")
        #expect(after == before)
    }

    @Test func `a file takes the place of a folder, and a folder of a file`() async throws {
        let sandbox = try Sandbox()
        let repository = try await repository(sandbox, format: "sha1", version: 2)
        try await sandbox.sh("rm -r a link && echo x > a && mkdir link && echo y > link/y", in: "work")
        let ids = try await repository.writeBlobs([Array("x\n".utf8), Array("y\n".utf8)])
        let entries = try ["a", "link/y"].enumerated().map { i, path in
            let file = sandbox.path.appending("work").appending(FilePath(path).components)
            return IndexFile.Entry(
                path: Array(path.utf8), mode: 0o100644, id: ids[i], stat: try #require(FileStat(file)))
        }
        _ = try IndexFile.update(repository, adding: entries)
        let files = try await sandbox.sh("git ls-files; git diff --stat", in: "work")
        #expect(files == "a\n\"bad\\377\"\nlink/y\n")
    }

    @Test func `an index that only git understands, and one that is locked, are left alone`() async throws {
        let sandbox = try Sandbox()
        let repository = try await repository(sandbox, format: "sha1", version: 2)
        try sandbox.directory.write("work/.git/index.lock", "")
        #expect(throws: GitFailure.self) { try IndexFile.update(repository, adding: []) }
        try await sandbox.sh("rm .git/index.lock && git update-index --split-index", in: "work")
        #expect(try IndexFile(repository) == nil)
        #expect(try !IndexFile.update(repository, adding: []))
        let status = try await sandbox.sh("test ! -e .git/index.lock; git status --porcelain", in: "work")
        #expect(status == "")
    }

    @Test func `a change within the second of its adding is seen after another write of the index`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        try await sandbox.sh(
            "echo one > a && git add a && cp -p a stamp && echo two > a && touch -r stamp a && rm stamp", in: "work")
        _ = try IndexFile.update(repository, adding: [])
        let status = try await sandbox.sh("sleep 1.1; git status --porcelain", in: "work")
        #expect(status == "AM a\n")
    }
}
