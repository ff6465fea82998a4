import Base
import SystemPackage
import TestSupport
import Testing

/// What a server with `git ml init --bare` takes, and what the pusher reads when it does not.
struct ServerHookTests {
    /// A remote without runner, and a clone with a pushed model whose stage `prod` wants signatures of `lead`.
    private func project(format: String = "sha1", stage: String = "{signers: .ml/allowed_signers}") async throws
        -> Project
    {
        let project = try Project()
        try await project.sh(
            """
            git init -q --bare --object-format=\(format) remote.git; (cd remote.git && git ml init --bare)
            git init -q --object-format=\(format) work; ssh-keygen -q -t ed25519 -N '' -f lead
            cd work; git remote add origin ../remote.git; git ml init
            git config gpg.format ssh; git config user.signingKey "$PWD/../lead"
            mkdir .ml; printf 'lead@example.com %s\\n' "$(cut -d' ' -f1,2 ../lead.pub)" > .ml/allowed_signers
            """, in: "")
        try project.writeModel(stage: stage)
        try await project.sh("git add -A && git commit -qm model && git push -q -u origin main")
        return project
    }

    private func push(_ project: Project, _ words: String...) async throws -> Seen {
        let result = try await project.sandbox.run(
            "git", ["push", "--no-verify", "origin"] + words, in: "work")
        return Seen(status: result.status, output: result.text, errors: result.errors)
    }

    private func refs(_ project: Project) async throws -> String {
        try await project.sh("git for-each-ref", in: "remote.git")
    }

    // Cases D-01, D-04, D-43: the objects of the push lie in quarantine when they are looked at.
    @Test(arguments: ["sha1", "sha256"])
    func `tags that policy forbids are refused with what to do, and good ones taken`(format: String) async throws {
        let project = try await project(format: format)
        try await project.sh("git tag -a -m 'no signature' 'm#prod#1'; git tag 'm@v1.0.0'")
        let before = try await refs(project)
        let unsigned = try await push(project, "m#prod#1")
        #expect(unsigned.status != 0)
        #expect(unsigned.errors.contains("remote: git-ml: refused refs/tags/m#prod#1: it is not signed"))
        #expect(unsigned.errors.contains("remote: git-ml: sign it: `git ml stage … --sign`, or `git tag -s`"))
        let light = try await push(project, "m@v1.0.0")
        #expect(light.errors.contains("remote: git-ml: refused refs/tags/m@v1.0.0: it is a light tag"))
        try await project.sh(
            "git tag -d 'm@v1.0.0'; git tag -s -m version m@v1.0.0; git update-ref refs/tags/m@v2.0.0 refs/tags/m@v1.0.0"
        )
        let other = try await push(project, "m@v2.0.0")
        #expect(other.errors.contains("the tag object says “m@v1.0.0”"), "\(other)")
        let after = try await refs(project)
        #expect(after == before)
        // A commit that comes with its tag is on the protected branch.
        try await project.sh("git commit -q --allow-empty -m more; git tag -s -m good 'm#prod#2'")
        let good = try await push(project, "main", "m#prod#2", "m@v1.0.0")
        #expect(good.status == 0, "\(good)")
        try await project.sh("git tag -d 'm#prod#1'; git tag -s -m late 'm#prod#1'; git tag -f -s -m moved m@v1.0.0")
        let late = try await push(project, "m#prod#1")
        #expect(late.errors.contains("its counter is not higher than that of m#prod#2"), "\(late)")
        let moved = try await push(project, "--force", "m@v1.0.0")
        #expect(moved.errors.contains("tags of models are not moved once they are pushed"), "\(moved)")
        let deleted = try await push(project, "--delete", "m#prod#2")
        #expect(deleted.errors.contains("tags of models are not deleted"), "\(deleted)")
        // A branch that is not on main.
        try await project.sh(
            "git checkout -q -b side; git commit -q --allow-empty -m side; git tag -s -m side 'm#prod#3'; git checkout -q main"
        )
        let side = try await push(project, "side", "m#prod#3")
        #expect(side.errors.contains("is not on the protected branch main"), "\(side)")
        let fsck = try await project.sh(
            "git fsck 2>&1 | grep -v -e '^dangling' -e '^Checking' || true", in: "remote.git")
        #expect(fsck.isEmpty || fsck.contains("notice"), "\(fsck)")
    }

    @Test func `a server that borrows its objects from another repository sees what is pushed`() async throws {
        let project = try await project()
        try await project.sh(
            """
            git clone -q --bare --shared remote.git fork.git; (cd fork.git && git ml init --bare)
            git -C work remote set-url origin ../fork.git
            """, in: "")
        try await project.sh(
            "git commit -q --allow-empty -m more; git tag -a -m x 'm#prod#1'; git tag -s -m x 'm#prod#2'")
        let unsigned = try await push(project, "main", "m#prod#1")
        #expect(unsigned.errors.contains("it is not signed"), "\(unsigned)")
        let good = try await push(project, "main", "m#prod#2")
        #expect(good.status == 0, "\(good)")
    }

    // Case D-08.
    @Test func `tags whose names are shell code or options run nothing on their way, and are refused or ignored`()
        async throws
    {
        let project = try await project(stage: "{}")
        let names =
            [
                "$(touch ran)@v1", "`touch ran`@v1", "a;touch ran@v1", "--exec=touch@v1", "-oProxyCommand=x@v1",
                "@file",
                "%(x)", "${IFS}", "$(touch ran)#prod#1",
            ].filter { !$0.contains(" ") } + ["$(touch${IFS}ran)@v1", "`touch${IFS}ran`#prod#1", "a;touch${IFS}ran@v1"]
        for name in names {
            try await project.sandbox.run("git", ["update-ref", "refs/tags/\(name)", "HEAD"], in: "work").expectDone()
            let seen = try await push(project, "refs/tags/\(name)")
            let isRefused = name.contains("@v") || name.contains("#")
            #expect((seen.status != 0) == isRefused, "\(name): \(seen)")
        }
        let hooked = try await project.sandbox.run("git", ["push", "--tags", "origin"], in: "work")
        #expect(hooked.status != 0)
        let pass = try await project.ml("runner", "--once", "--repo", "../remote.git")
        #expect(pass.status == 0, "\(pass)")
        let doctor = try await project.ml("doctor")
        #expect(doctor.status != 70)
        let ran = try await project.sh("find . -name ran", in: "")
        #expect(ran == "")
    }

    // Case D-08: what git and its children were told.
    @Test func `names of tags are never options of git, nor parts of a shell's line`() async throws {
        let project = try await project(stage: "{}")
        let names = ["--exec=x@v1.0.0", "-oProxyCommand=x@v1.0.0", "--exec=x#prod#1", "$(touch${IFS}ran)#prod#1"]
        for name in names {
            try await project.sandbox.run("git", ["update-ref", "refs/tags/\(name)", "HEAD"], in: "work").expectDone()
        }
        let trace: [String: String?] = ["GIT_TRACE2_EVENT": "\(project.path)/trace"]
        for words in [
            ["doctor"], ["models"], ["register", "m"], ["stage", "m", "prod"], ["review", "m", "prod"],
            ["package", "m", "--to", "oci:../images"], ["sync"], ["get", "../remote.git", names[0], "--to", "../got"],
        ] { _ = try await project.sandbox.run("git", ["ml"] + words, in: "work", environment: trace) }
        _ = try await project.sandbox.run("git", ["push", "--tags", "origin"], in: "work", environment: trace)
        // The hooks are passed by: the runner alone meets the tags.
        try await project.sh("git fetch -q ../work 'refs/tags/*:refs/tags/*'", in: "remote.git")
        _ = try await project.sandbox.run(
            "git", ["ml", "runner", "--once", "--repo", "../remote.git"], in: "work", environment: trace)
        var seen = 0
        for line in try #require(try project.text("trace")).split(separator: "\n") {
            let event = try JSON.parse(String(line))
            // `git ml` itself is told by the test.
            guard let words = event["argv"]?.array?.compactMap(\.string), words.dropFirst().first != "ml",
                !(words.first ?? "").hasSuffix("git-ml")
            else { continue }
            let end = words.firstIndex { $0 == "--" || $0 == "--end-of-options" } ?? words.endIndex
            seen += 1
            #expect(!words[..<end].contains { word in names.contains { word.hasPrefix($0) } }, "\(words)")
            if event["use_shell"] == true { #expect(!words.contains { $0.contains("${IFS}") }, "\(words)") }
        }
        #expect(seen > 20)
        #expect(try await project.sh("find . -name ran", in: "") == "")
    }

    // Case D-44.
    @Test func `a push of records that changes a line is refused, and one that adds lines is taken`() async throws {
        let project = try await project(stage: "{}")
        try await project.sh(
            """
            git notes --ref ml/runs list
            git fetch -q origin refs/notes/ml/runs:refs/notes/ml/runs
            git notes --ref ml/runs show HEAD | sed 's/"last":0.9,/"last":0.99,/' > ../altered
            git notes --ref ml/runs add -f -F ../altered HEAD
            """)
        let altered = try await push(project, "refs/notes/ml/runs")
        #expect(altered.status != 0)
        #expect(altered.errors.contains("remote: git-ml: refused: refs/notes/ml/runs"), "\(altered)")
        #expect(altered.errors.contains("would lose lines of recorded runs"))
        let deleted = try await push(project, "--delete", "refs/notes/ml/runs")
        #expect(deleted.errors.contains("is not deleted"), "\(deleted)")
        let metrics = try await project.sh(
            "git --git-dir ../remote.git notes --ref ml/runs show \"$(git rev-parse HEAD)\"")
        #expect(metrics.contains(#""last":0.9,"#))
        try await project.sh("printf '{\"auc\":0.95}' > metrics.json; git commit -qam better; git push -q origin main")
    }

    @Test func `a dataset whose manifest is at the data remote without all of its packs is refused`() async throws {
        let project = try await project(stage: "{}")
        try await project.sh(
            """
            for i in $(seq 40); do mkdir -p d && echo "file $i" > d/$i; done
            git ml add --dataset d && git commit -qm data && git push -q
            echo more > d/41 && git ml add --dataset d && git commit -qm more && git ml push
            """)
        let whole = try await project.sh("git rev-parse origin/main").trimmingTrailingSpace
        // Everything but the manifest's root, which the pointer names.
        let root = try await project.sh("sed -n 's/.*sha256:\\([0-9a-f]*\\).*/\\1/p' d.dataset | head -1")
            .trimmingTrailingSpace
        #expect(root.count == 64, "\(root)")
        try await project.sh(
            """
            find remote.git -path '*objects*' -type f -name '????????????????????????????????????????????????????????????????' \\
              ! -name \(root) -newer work/.git/refs/remotes/origin/main > gone; test -s gone; xargs rm -f < gone
            """, in: "")
        let refused = try await push(project, "main")
        #expect(refused.status != 0)
        #expect(refused.errors.contains("the data of 1 file(s) is not at"), "\(refused)")
        #expect(refused.errors.contains("d.dataset"))
        #expect(try await project.sh("git ls-remote origin main").hasPrefix(whole))
        try await project.sh("git ml push")
        let present = try await push(project, "main")
        #expect(present.status == 0, "\(present)")
    }

    @Test func `pointers whose bytes are not at the data remote are refused, as far as the server can ask`()
        async throws
    {
        let project = try await project(stage: "{}")
        try await project.sh(
            """
            git ml track '*.bin' && echo zeroth > z.bin && git add -A && git commit -qm zeroth
            git -C ../remote.git config ml.checkData strict
            """)
        let unknown = try await push(project, "main")
        #expect(unknown.status != 0 && unknown.errors.contains("does not know where the data is"), "\(unknown)")
        try await project.sh("git -C ../remote.git config --unset ml.checkData")
        try await project.sh(
            "echo first > a.bin && git add -A && git commit -qm data && git push -q")
        try await project.sh("echo second > b.bin && git add -A && git commit -qm more")
        let absent = try await push(project, "main")
        #expect(absent.status != 0)
        #expect(
            absent.errors.contains("remote: git-ml: refused: the data of 1 file(s) is not at"), "\(absent)")
        #expect(absent.errors.contains("b.bin"))
        let sent = try await project.ml("push")
        #expect(sent.status == 0, "\(sent)")
        let present = try await push(project, "main")
        #expect(present.status == 0, "\(present)")
        // A data remote that does not answer.
        try await project.sh(
            """
            printf 'data: {remote: "http://127.0.0.1:9/nowhere"}\\n' >> ml.yaml; git commit -qam elsewhere
            echo third > c.bin; git add -A; git commit -qm third
            git -C ../remote.git config ml.checkData strict
            """)
        let strict = try await push(project, "main")
        #expect(strict.errors.contains("the data of this push could not be looked for"), "\(strict)")
        #expect(strict.status != 0)
        try await project.sh("git -C ../remote.git config ml.checkData perhaps")
        let wrong = try await push(project, "main")
        #expect(wrong.errors.contains("ml.checkData is “perhaps”"), "\(wrong)")
        try await project.sh("git -C ../remote.git config --unset ml.checkData")
        let lenient = try await push(project, "main")
        #expect(lenient.status == 0, "\(lenient)")
        #expect(lenient.errors.contains("remote: git-ml: the data of this push could not be looked for"))
    }

    @Test func `a bad ml yaml on the protected branch stops tags, and not the push that mends it`() async throws {
        let project = try await project(stage: "{}")
        try await project.sh("echo 'nonsense: true' >> ml.yaml; git commit -qam bad")
        let bad = try await push(project, "main")
        #expect(bad.status == 0)
        #expect(bad.errors.contains("the policy of the protected branch cannot be read"), "\(bad)")
        #expect(bad.errors.contains("unknown key “nonsense”"), "\(bad)")
        try await project.sh("git tag -s -m x 'm#prod#1'")
        let tag = try await push(project, "m#prod#1")
        #expect(tag.status != 0, "\(tag)")
        try await project.sh("sed -i '$d' ml.yaml; git commit -qam good")
        let mended = try await push(project, "main", "m#prod#1")
        #expect(mended.status == 0, "\(mended)")
    }

    @Test func `a server whose git-ml is gone takes branches, and neither records nor tags of models`() async throws {
        let project = try await project(stage: "{}")
        try await project.sh(
            """
            sed -i "s|^ml=.*|ml=/nowhere|; s/|| ml=git-ml/|| ml=git-ml-is-gone/" ../remote.git/hooks/pre-receive
            git commit -q --allow-empty -m more; git tag -s -m x 'm#prod#1'; git tag plain
            """)
        let branch = try await push(project, "main", "plain")
        #expect(branch.status == 0, "\(branch)")
        #expect(branch.errors.contains("remote: git-ml: git-ml-is-gone cannot be run on this server"))
        let tag = try await push(project, "m#prod#1")
        #expect(tag.status != 0 && tag.errors.contains("cannot be run"), "\(tag)")
        let notes = try await push(project, "--delete", "refs/notes/ml/runs")
        #expect(notes.status != 0, "\(notes)")
    }

    @Test func `init --bare puts the hook behind one that is there, replaces our older one, and takes it out again`()
        async throws
    {
        let project = try Project()
        try await project.sh(
            """
            git init -q --bare remote.git; cd remote.git
            printf '#!/bin/sh\\ncat > seen\\n' > hooks/pre-receive; chmod +x hooks/pre-receive
            printf '#!/bin/sh\\n# git-ml hook: refuses pushes that would lose recorded runs.\\nexit 1\\n' > hooks/update
            chmod +x hooks/update
            """, in: "")
        let set = try await project.ml("init", "--bare", in: "remote.git")
        #expect(set.output.contains("installed the hook pre-receive"), "\(set)")
        let again = try await project.ml("init", "--bare", in: "remote.git")
        #expect(again.output == "Everything was in place.\n")
        try await project.sandbox.repository()
        try await project.sh("git push -q ../remote.git main")
        #expect(try project.text("remote.git/seen")?.contains("refs/heads/main") == true)
        let removed = try await project.ml("init", "--bare", "--remove", in: "remote.git")
        #expect(removed.output.contains("removed the hook pre-receive"), "\(removed)")
        #expect(try project.text("remote.git/hooks/pre-receive") == "#!/bin/sh\ncat > seen\n")
        let hooks = try await project.sh("ls hooks | grep -v sample", in: "remote.git")
        #expect(hooks == "pre-receive\n")
    }
}

extension ProcessResult {
    /// Fails the test when the program did.
    func expectDone(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(status == 0, "\(errors)", sourceLocation: sourceLocation)
    }
}
