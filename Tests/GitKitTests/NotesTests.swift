import Base
import SystemPackage
import TestSupport
import Testing

@testable import GitKit

struct NotesTests {
    private let sandbox: Sandbox

    init() throws { sandbox = try Sandbox() }

    /// Objects to annotate: as many blobs.
    private func objects(_ count: Int, in repository: Repository) throws -> [ObjectID] {
        try repository.withoutFlushing {
            try (0..<count).map { try repository.write(.blob, Array("object \($0)".utf8)) }
        }
    }

    @Test(arguments: RepositoryForm.all, [1, 15, 40, 700])
    func `the tree of notes is the one that git itself writes`(form: RepositoryForm, count: Int) async throws {
        let repository = try await form.make(in: sandbox)
        let objects = try objects(count, in: repository)
        let notes = Notes("refs/notes/ml/ours", in: repository)
        // In two steps, so that folders which are there already get split too.
        for part in [objects.prefix(count / 2), objects.dropFirst(count / 2)] where !part.isEmpty {
            try notes.add(Dictionary(uniqueKeysWithValues: part.map { ($0, ["line of \($0)"]) }), message: "x")
        }
        // git makes its own tree out of the same notes: `copy --stdin` writes them one by one.
        let flat = try repository.withoutFlushing {
            try repository.write(
                Tree(
                    try objects.map {
                        TreeEntry($0.hex, .file, try repository.write(.blob, Array("line of \($0)\n".utf8)))
                    }))
        }
        let commit = try repository.writeCommit(tree: flat, parents: [], by: repository.user(), message: "flat\n")
        try await sandbox.sh("git update-ref refs/notes/flat \(commit)", in: "work")
        let pairs = objects.map { "\($0) \($0)\n" }.joined()
        let copied = try await sandbox.run(
            "git", ["notes", "--ref=flat", "copy", "-f", "--stdin"], in: "work", input: pairs)
        #expect(copied.status == 0, "\(copied.errors)")
        let ours = try await sandbox.sh("git rev-parse 'refs/notes/ml/ours^{tree}'", in: "work")
        let theirs = try await sandbox.sh("git rev-parse 'refs/notes/flat^{tree}'", in: "work")
        #expect(ours == theirs)
    }

    @Test(arguments: RepositoryForm.all)
    func `forty writers at once lose nothing`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let objects = try objects(8, in: repository)
        let path = sandbox.path.appending("work")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<40 {
                group.addTask {
                    let notes = Notes("refs/notes/ml/runs", in: try Repository(path))
                    try notes.add([objects[writer % 8]: ["line \(writer)"]], message: "writer \(writer)")
                }
            }
            try await group.waitForAll()
        }
        let lines = try Notes("refs/notes/ml/runs", in: repository).all().values.joined()
        #expect(lines.count == 40)
        #expect(Set(lines).count == 40)
    }

    @Test(arguments: RepositoryForm.all)
    func `the same lines again make no commit`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let object = try objects(1, in: repository)[0]
        let notes = Notes("refs/notes/ml/runs", in: repository)
        try notes.add([object: ["b", "a"]], message: "x")
        let head = try repository.ref("refs/notes/ml/runs")
        try notes.add([object: ["a"]], message: "x")
        #expect(try repository.ref("refs/notes/ml/runs") == head)
        #expect(try notes.lines(on: object) == ["a", "b"])
    }

    @Test(arguments: RepositoryForm.all)
    func `a merge gives the bytes of git notes merge -s cat_sort_uniq`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let objects = try objects(3, in: repository)
        let (a, b) = (Notes("refs/notes/ml/runs", in: repository), Notes("refs/notes/other", in: repository))
        try a.add([objects[0]: ["é", "a", "Z"], objects[1]: ["one"]], message: "x")
        try b.add([objects[0]: ["a", "b"], objects[2]: ["two"]], message: "x")
        try await sandbox.sh("git update-ref refs/notes/git refs/notes/ml/runs", in: "work")
        try await sandbox.sh("git notes --ref=git merge -q -s cat_sort_uniq refs/notes/other", in: "work")
        guard let other = try repository.ref("refs/notes/other") else { return #expect(Bool(false)) }
        try a.merge(other)
        let ours = try await sandbox.sh("git rev-parse 'refs/notes/ml/runs^{tree}'", in: "work")
        let theirs = try await sandbox.sh("git rev-parse 'refs/notes/git^{tree}'", in: "work")
        #expect(ours == theirs)
    }

    @Test(arguments: RepositoryForm.all)
    func `two clones that merge the same pair make the same commit`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        let object = try objects(1, in: repository)[0]
        let (a, b) = (Notes("refs/notes/a", in: repository), Notes("refs/notes/b", in: repository))
        try a.add([object: ["a"]], message: "x")
        try b.add([object: ["b"]], message: "y")
        guard let headA = try repository.ref("refs/notes/a"), let headB = try repository.ref("refs/notes/b") else {
            return #expect(Bool(false))
        }
        try a.merge(headB)
        try b.merge(headA)
        #expect(try repository.ref("refs/notes/a") == repository.ref("refs/notes/b"))
    }

    @Test(arguments: RepositoryForm.all)
    func `a note that git wrote is read, and git reads ours`(form: RepositoryForm) async throws {
        let repository = try await form.make(in: sandbox)
        try await sandbox.sh("git notes --ref=ml/runs add -m theirs HEAD", in: "work")
        let head = try repository.resolve("HEAD")
        let notes = Notes("refs/notes/ml/runs", in: repository)
        #expect(try notes.lines(on: head) == ["theirs"])
        try notes.add([head: ["ours"]], message: "x")
        let shown = try await sandbox.sh("git notes --ref=ml/runs show HEAD", in: "work")
        #expect(shown == "ours\ntheirs\n")
    }
}
