import Base
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized) struct LockTests {
    /// Two people's clones of one repository.
    private func bench() async throws -> LFSBench {
        let bench = try await LFSBench(users: ["ann:x", "bob:x"])
        let address = { (user: String) in bench.url.replacing("http://", with: "http://\(user):x@") }
        try await bench.project.sh(
            """
            git init -q work
            cd work
            git remote add origin \(address("ann"))
            git ml init
            git ml track '*.bin'
            printf one > a.bin
            printf one > b.bin
            git add -A
            git commit -q -m one
            git push -q -u origin main
            cd ..
            git ml clone \(address("bob")) bob
            """, in: "")
        return bench
    }

    @Test func `a lock is seen by others, also by the stock client, and taken away by its owner`() async throws {
        let bench = try await bench()
        let project = bench.project
        let locked = try await project.ml("lock", "a.bin")
        #expect(locked == Seen(status: 0, output: "locked a.bin\n", errors: ""))
        let listed = try await project.ml("locks", in: "bob")
        #expect(listed.output == "PATH   OWNER  SINCE\na.bin  ann    2026-01-02T03:04:05Z\n")
        #expect(try await project.sh("git lfs locks", in: "bob").contains("a.bin\tann"))
        let again = try await project.ml("lock", "a.bin", in: "bob")
        #expect(
            again
                == Seen(
                    status: 1, output: "",
                    errors: "error: a.bin is locked already by ann\nhint: `git ml locks` lists who has what\n"))
        let foreign = try await project.ml("unlock", "a.bin", in: "bob")
        #expect(foreign.status == 1 && foreign.errors.contains("a.bin stays locked by ann"))
        let json = try await project.ml("locks", "--json", "--verify")
        let line = try JSON.parse(json.output)
        #expect(line["path"] == "a.bin" && line["owner"] == "ann" && line["ours"] == true)
        let unlocked = try await project.ml("unlock", "a.bin")
        #expect(unlocked.output == "unlocked a.bin\n")
        let nothing = try await project.ml("unlock", "a.bin")
        #expect(nothing.status == 3)
        let empty = try await project.ml("locks")
        #expect(empty.output == "Nothing is locked.\n")
        try await project.sh("git lfs lock b.bin", in: "bob")
        let theirs = try await project.ml("locks", "--json")
        #expect(theirs.output.contains(#""path":"b.bin""#) && theirs.output.contains(#""owner":"bob""#))
    }

    @Test func `a push of what others have locked is stopped where locks are to be verified`() async throws {
        let bench = try await bench()
        let project = bench.project
        _ = try await project.ml("lock", "a.bin")
        try await project.sh(
            "printf two > a.bin; git commit -q -a -m two; git config lfs.\(bench.url)/info/lfs.locksverify true",
            in: "bob")
        let before = try await bench.head()
        let push = try await project.sandbox.run("git", ["push", "origin", "main"], in: "bob")
        #expect(push.status != 0)
        #expect(push.errors.contains("locked by others: a.bin (ann)"), "\(push.errors)")
        let after = try await bench.head()
        #expect(before == after)
        let sent = try bench.isAtServer("bob/a.bin")
        #expect(!sent)
        try await project.sh("git config --unset lfs.\(bench.url)/info/lfs.locksverify", in: "bob")
        let warned = try await project.sandbox.run("git", ["push", "origin", "main"], in: "bob")
        #expect(warned.status == 0 && warned.errors.contains("locked by others: a.bin (ann)"))
        try await project.sh("git pull -q; printf three > a.bin; git commit -q -a -m three")
        let own = try await project.sandbox.run("git", ["push", "origin", "main"], in: "work")
        #expect(own.status == 0 && own.errors.contains("locked by you, and pushed: a.bin"))
    }

    @Test func `a file with the attribute lockable is writable only while it is locked`() async throws {
        let bench = try await bench()
        let project = bench.project
        try await project.sh("echo 'a.bin lockable' >> .gitattributes; chmod a-w a.bin")
        func mode() async throws -> String { try await project.sh("stat -c %A a.bin | cut -c3") }
        _ = try await project.ml("lock", "a.bin")
        #expect(try await mode() == "w\n")
        try await project.sh("printf x > a.bin")
        let changed = try await project.ml("unlock", "a.bin")
        #expect(changed.errors.contains("has changes that are not committed"))
        let forced = try await project.ml("unlock", "--force", "a.bin")
        #expect(forced.status == 0)
        #expect(try await mode() == "-\n")
    }

    @Test func `where there are no locks the command says so, and pushes go on without asking again`() async throws {
        let bench = try await bench()
        try bench.server.misbehave(#"{"locks-404":-1}"#)
        let locks = try await bench.project.ml("locks")
        #expect(locks.status == 1 && locks.errors.contains("\(bench.url)/info/lfs keeps no locks"), "\(locks)")
        try await bench.project.sh("printf two > a.bin; git commit -q -a -m two; git push -q origin main")
        try await bench.project.sh("printf three > a.bin; git commit -q -a -m three; git push -q origin main")
        #expect(try bench.server.count("POST", "/locks/verify", status: 404) == 1)
        let local = try await Project.withRemote().ml("locks")
        #expect(local.status == 1 && local.errors.contains("keeps no locks"))
    }
}
