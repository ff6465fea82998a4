import Base
import SystemPackage
import TestSupport
import Testing

private let canBeOthers = getuid() == 0 && ChildProcess.find("setpriv") != nil

/// Two users of one machine with one store and one remote, each with an own clone and a umask that gives nothing to others.
@Suite(.enabled(if: canBeOthers, "needs root and setpriv, to be two other users")) struct SharedStoreTests {
    private let project: Project

    init() async throws {
        project = try Project()
        try project.write(
            "home.txt", "[user]\n\tname = x\n\temail = x@y\n[init]\n\tdefaultBranch = main\n[safe]\n\tdirectory = *\n")
        try await project.sh(
            """
            chmod 755 .
            for u in 54321 54322; do
              mkdir -p home-$u clones-$u; cp home.txt home-$u/.gitconfig; chown -R $u:54320 home-$u clones-$u; chmod 700 home-$u clones-$u
            done
            mkdir shared; chgrp 54320 shared; chmod 2775 shared
            git init -q --bare --shared=group remote.git; chgrp -R 54320 remote.git; chmod -R g+w remote.git
            find remote.git -type d -exec chmod g+s {} +
            """, in: "")
    }

    /// Runs lines as one of the users, in the folder of that user's clones.
    @discardableResult
    private func run(_ user: Int, _ lines: String) async throws -> String {
        try project.write("lines-\(user).sh", "umask 077\n" + lines)
        return try await project.sh(
            """
            cd clones-\(user)
            setpriv --reuid \(user) --regid 54320 --clear-groups env HOME=\(project.path)/home-\(user) \
              XDG_CONFIG_HOME=\(project.path)/home-\(user)/.config TMPDIR=\(project.path)/home-\(user) \
              sh -e \(project.path)/lines-\(user).sh 2>&1
            """, in: "")
    }

    private static let settings = "git config lfs.storage \"$SHARED\"; git config core.sharedRepository group"

    @Test func `each reads, adds to, sends and prunes what the other has stored`() async throws {
        let shared = "SHARED=\(project.path)/shared"
        try await run(
            54321,
            """
            \(shared); git init -q work; cd work; \(Self.settings)
            git remote add origin \(project.path)/remote.git; git ml init; git ml track '*.bin'
            for i in $(seq 40); do echo a$i > a$i.bin; done; head -c 3000000 /dev/urandom > big.bin
            mkdir d; for i in $(seq 20); do echo $i > d/$i; done; git ml add --dataset d
            git add -A; git commit -qm one; git push -q origin main
            """)
        // The other clones, finds all of it in the store, and adds to the same folders of it.
        let second = try await run(
            54322,
            """
            \(shared); mv \(project.path)/remote.git/lfs \(project.path)/remote.git/away
            git clone -q --no-checkout \(project.path)/remote.git work; cd work; \(Self.settings)
            git checkout -q main 2>&1 || true; git ml init > ../init.txt 2>&1 || true; git ml pull a1.bin big.bin; cat a1.bin
            mv \(project.path)/remote.git/away \(project.path)/remote.git/lfs; git ml pull > ../pull.txt
            for i in $(seq 40); do echo b$i > b$i.bin; done; echo new > d/new; git ml add --dataset d
            git add -A; git commit -qm two; git push -q origin main; git ml fsck
            """)
        #expect(second.contains("a1\n") && second.hasSuffix("All pointers and content are right.\n"), "\(second)")
        let first = try await run(
            54321,
            """
            cd work; git pull -q origin main; cat b7.bin d/new; git ml status; git ml fsck
            git rm -q b*.bin; git commit -qm three; git push -q origin main; git reflog expire --expire=now --all
            GIT_COMMITTER_DATE='@1000000000 +0000' git ml prune --days 0 --grace 0
            """)
        #expect(
            first.hasPrefix(
                "b7\nnew\nAll data is here and unchanged.\nAll pointers and content are right.\n"), "\(first)")
        #expect(!first.contains("ermission denied") && !second.contains("ermission denied"))
    }

    @Test func `what one has left of an interrupted download the other goes on with`() async throws {
        let shared = "SHARED=\(project.path)/shared"
        let oid = Digest.of("content of both").hex
        try await run(
            54321,
            """
            \(shared); git init -q work; cd work; \(Self.settings)
            git remote add origin \(project.path)/remote.git; git ml init; git ml track '*.bin'
            printf 'content of both' > a.bin; git add -A; git commit -qm one; git push -q origin main
            rm -r \(project.path)/shared/objects/\(oid.prefix(2)); rm -f a.bin
            """)
        // A remote whose content is short leaves a part behind.
        try await project.sh(
            """
            f=remote.git/lfs/objects/\(oid.prefix(2))/\(oid.dropFirst(2).prefix(2))/\(oid)
            test "$(stat -c %A $f | cut -c5-6)" = rw; test "$(stat -c %u $f)" = 54321
            """, in: "")
        try await run(
            54321,
            "cd work; printf content > \(project.path)/shared/objects/incoming/\(oid).part; chmod 660 \(project.path)/shared/objects/incoming/\(oid).part"
        )
        let seen = try await run(
            54322,
            """
            \(shared); git clone -q --no-checkout \(project.path)/remote.git work; cd work; \(Self.settings)
            git checkout -q main || true; git ml init > /dev/null 2>&1 || true; git ml pull > /dev/null; cat a.bin
            ls \(project.path)/shared/objects/incoming
            """)
        #expect(seen == "content of both", "\(seen)")
    }
}
