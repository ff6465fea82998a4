import Base
import SystemPackage
import TestSupport
import Testing

/// `get`, `ls`, `import` and `update` with another repository.
struct OtherRepositoriesTests {
    /// A repository `other` with tracked and plain files, and an empty folder `out` that is in no repository.
    private func project(format: String = "sha1") async throws -> Project {
        let project = try Project()
        try await project.sandbox.sh(
            """
            mkdir out
            git init -q --object-format=\(format) other
            cd other
            git ml init
            git ml track 'data/**'
            mkdir -p data/sub src
            echo one > data/a.csv
            head -c 300000 /dev/zero > data/sub/b.bin
            : > data/empty
            echo plain > 'src/x y.py'
            chmod +x 'src/x y.py'
            seq 1 2000 > src/big.txt
            ln -s data/a.csv latest.csv
            git add -A
            git commit -qm one
            git tag v1
            """)
        return project
    }

    private func withClone() async throws -> Project {
        let project = try await project()
        try await project.sandbox.sh("git init -q work && cd work && git ml init && git add -A && git commit -qm first")
        return project
    }

    // MARK: get

    @Test(arguments: ["sha1", "sha256"])
    func `a folder comes with the content of its tracked files, outside of any repository`(format: String) async throws
    {
        let project = try await project(format: format)
        let seen = try await project.ml("get", "../other", "data", in: "out")
        let commit = try await project.sh("git rev-parse HEAD", in: "other").prefix(10)
        #expect(seen.errors == "")
        #expect(seen.output == "brought data: 3 file(s), 300 kB, from \(commit)\n")
        try await project.sh("diff -r ../other/data data && test -z \"$(ls -A . | grep -v '^data$')\"", in: "out")
        let again = try await project.ml("get", "../other", "data", in: "out")
        #expect(again.output == "data is there already, the same as in \(commit)\n")
        #expect(again.status == 0)
    }

    @Test func `one file comes under another name, with its mode, and by a link to it`() async throws {
        let project = try await project()
        let plain = try await project.ml("get", "../other", "src/x y.py", "--to", "run.py", in: "out")
        #expect(plain.status == 0, "\(plain)")
        let link = try await project.ml("get", "file://\(project.path)/other", "latest.csv", "--to", "l/", in: "out")
        #expect(link.status == 0, "\(link)")
        let text = try await project.sh("test -x run.py && cat run.py l/latest.csv", in: "out")
        #expect(text == "plain\none\n")
    }

    @Test func `all of it comes by a dot, links that stay inside included`() async throws {
        let project = try await project()
        let seen = try await project.ml("get", "../other", ".", "--json", in: "out")
        #expect(seen.status == 0, "\(seen)")
        let object = try JSON.parse(seen.output)
        #expect(object["path"]?.string == "\(project.path)/out/other")
        #expect(object["unchanged"]?.bool == false)
        try await project.sh("diff -r --exclude .git ../other other && test -L other/latest.csv", in: "out")
    }

    @Test func `what is there is replaced only by force`() async throws {
        let project = try await project()
        try project.write("out/a.csv", "mine")
        let refused = try await project.ml("get", "../other", "data/a.csv", in: "out")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("a.csv is there already"))
        #expect(try project.text("out/a.csv") == "mine")
        let forced = try await project.ml("get", "../other", "data/a.csv", "--force", in: "out")
        #expect(forced.status == 0, "\(forced)")
        #expect(try project.text("out/a.csv") == "one\n")
        try project.write("out/data/old", "mine")
        let folder = try await project.ml("get", "../other", "data", "--to", "data2", "--force", in: "out")
        #expect(folder.status == 0, "\(folder)")
        try await project.sh("mkdir data3 && echo x > data3/y", in: "out")
        let below = try await project.ml("get", "../other", "data", "--to", "data3", in: "out")
        #expect(below.status == 0, "\(below)")
        #expect(try project.text("out/data3/data/a.csv") == "one\n")
    }

    @Test(arguments: ["v1", "main~1", "refs/tags/v1", "FULL", "SHORT"])
    func `a revision is a tag, a branch, an id or anything git understands`(word: String) async throws {
        let project = try await project()
        try await project.sh("echo two > data/a.csv && git commit -qam two", in: "other")
        let id = try await project.sh("git rev-parse v1", in: "other").trimmingTrailingSpace
        let revision = ["FULL": id, "SHORT": String(id.prefix(8))][word] ?? word
        let seen = try await project.ml("get", "../other", "data/a.csv", "--rev", revision, in: "out")
        #expect(seen.status == 0, "\(seen)")
        #expect(try project.text("out/a.csv") == "one\n")
    }

    @Test(arguments: [
        (["other", "nope"], 3, "there is no nope"), (["other", "data/a.csv/x"], 3, "there is no data/a.csv/x"),
        (["other", "data", "--rev", "zz"], 3, "“zz” names no commit, branch or tag"),
        (["other", "../x"], 5, "leaves the repository"), (["nothing", "data"], 4, "cannot read"),
        (["--", "--upload-pack=touch pwned", "data"], 1, "is no address of a git repository"),
        (["ext::sh -c touch% pwned", "data"], 1, "is no address of a git repository"),
        (["empty", "data"], 1, "has no commits"),
    ])
    func `what cannot be is told, and nothing is left`(words: [String], status: Int, text: String) async throws {
        let project = try await project()
        try await project.sandbox.sh("git init -q empty && mkdir here")
        let places = ["other", "nothing", "empty"]
        let seen = try await project.sandbox.run(
            "git", ["ml", "get"] + words.map { places.contains($0) ? "../" + $0 : $0 }, in: "here")
        #expect(Int(seen.status) == status, "\(seen.errors)")
        #expect(seen.errors.contains(text), "\(seen.errors)")
        let left = try await project.sandbox.sh("ls -A here")
        #expect(left == "")
    }

    @Test func `nothing of the other repository is run`() async throws {
        let project = try await project()
        try await project.sh(
            """
            echo '*.txt filter=evil' >> .gitattributes
            git commit -qam evil
            for key in filter.evil.smudge filter.evil.clean filter.lfs.smudge filter.lfs.process core.fsmonitor \
              uploadpack.packObjectsHook core.sshCommand core.alternateRefsCommand core.pager diff.external; do
              git config $key "touch $PWD/pwned; cat"
            done
            for hook in post-checkout post-merge reference-transaction post-index-change pre-auto-gc; do
              printf '#!/bin/sh\\ntouch %s/pwned\\n' "$PWD" > .git/hooks/$hook; chmod +x .git/hooks/$hook
            done
            rm -f pwned
            """, in: "other")
        let seen = try await project.ml("get", "../other", ".", in: "out")
        #expect(seen.status == 0, "\(seen)")
        try await project.sh("test ! -e pwned && test -e ../out/other/src/big.txt", in: "other")
    }

    @Test(arguments: ["/etc/passwd", "../../x", "sub/../../.git/config", ".git/config"])
    func `a link that leads out is refused, and nothing is written`(target: String) async throws {
        let project = try await project()
        try await project.sh("ln -s '\(target)' data/z && git add data/z && git commit -qm link", in: "other")
        let seen = try await project.ml("get", "../other", "data", in: "out")
        #expect(seen.status == 5)
        #expect(seen.errors.contains("data/z is not brought here: it is a link"), "\(seen)")
        let left = try await project.sh("ls -A", in: "out")
        #expect(left == "")
    }

    @Test(arguments: ["..", ".git", ".GIT", "git~1", ".git ", "a\\b"])
    func `a tree with a name that must not be written is refused`(name: String) async throws {
        let project = try await project()
        try await project.sh(
            """
            blob=$(echo x | git hash-object -w --stdin)
            tree=$(printf '100644 blob %s\\t%s\\0' $blob '\(name.replacing("\\", with: "\\\\"))' | git mktree -z)
            top=$(printf '040000 tree %s\\tbad\\0' $tree | git mktree -z)
            git update-ref refs/heads/bad $(git commit-tree -m bad $top)
            """, in: "other")
        let seen = try await project.ml("get", "../other", "bad", "--rev", "bad", in: "out")
        #expect(seen.status != 0)
        let left = try await project.sh("ls -A", in: "out")
        #expect(left == "", "\(seen)")
    }

    // MARK: Where the content is

    @Test func `content comes from the data remote of the other repository, and is verified`() async throws {
        let project = try await project()
        let store = project.path.appending("store")
        try await project.sh(
            """
            git init -q --bare ../remote.git
            git remote add origin ../remote.git
            sed -i '/^data:/d; /^  remote:/d' ml.yaml
            printf 'data:\\n  remote: file://\(store)\\n' >> ml.yaml
            git add -A; git commit -qm remote; git push -q origin main
            """, in: "other")
        let seen = try await project.ml("get", "../remote.git", "data", in: "out")
        #expect(seen.status == 0, "\(seen)")
        try await project.sh("diff -r data ../other/data && rm -r data", in: "out")

        let oid = try await project.sh("sha256sum data/a.csv", in: "other").prefix(64)
        let object = "store/\(oid.prefix(2))/\(oid.dropFirst(2).prefix(2))/\(oid)"
        try project.write(object, "bad\n")
        let bad = try await project.ml("get", "../remote.git", "data", in: "out")
        #expect(bad.status == 5, "\(bad)")
        try await project.sh("rm ../\(object)", in: "out")
        let gone = try await project.ml("get", "../remote.git", "data", in: "out")
        #expect(gone.status == 3)
        #expect(gone.errors.contains("the content of 1 file(s) is not at "), "\(gone)")
        #expect(gone.errors.contains(" or file://\(store): data/a.csv\n"), "\(gone)")
        let left = try await project.sh("ls -A", in: "out")
        #expect(left == "")
    }

    @Test func `a clone without the content leads to where its own data is`() async throws {
        let project = try await project()
        try await project.sandbox.sh(
            "git init -q --bare r.git; git -C other push -q ../r.git main; GIT_LFS_SKIP_SMUDGE=1 git clone -q r.git thin"
        )
        let seen = try await project.ml("get", "../thin", "data/a.csv", in: "out")
        #expect(seen.status == 0, "\(seen)")
        #expect(try project.text("out/a.csv") == "one\n")
    }

    // MARK: ls

    @Test func `ls lists the data of another repository at a revision`() async throws {
        let project = try await project()
        try await project.sh("git rm -q data/sub/b.bin && git commit -qm two", in: "other")
        let now = try await project.ml("ls", "../other", in: "out")
        #expect(now.output.split(separator: "\n").count == 2, "\(now)")
        let before = try await project.ml("ls", "../other", "data/sub", "--rev", "v1", "--json", in: "out")
        let object = try JSON.parse(before.output)
        #expect(object["path"]?.string == "data/sub/b.bin")
        #expect(object["size"]?.int == 300_000)
        #expect(object["present"]?.bool == true)
        let own = try await project.ml("ls", ".", in: "other")
        #expect(own.output.contains("data/a.csv"), "\(own)")
    }

    // MARK: import and update

    @Test func `an import is tracked, staged and recorded, and a push sends it`() async throws {
        let project = try await withClone()
        let seen = try await project.ml("import", "../other", "data/a.csv", "--to", "raw/a.csv")
        let commit = try await project.sh("git rev-parse HEAD", in: "other").trimmingTrailingSpace
        #expect(seen.output == "raw/a.csv: imported 4 B from ../other at \(commit.prefix(10))\n", "\(seen)")
        let oid = try await project.sh("sha256sum data/a.csv", in: "other").prefix(64)
        let record = try project.text("work/.ml/imports.yaml")?.split(separator: "\n").last
        #expect(
            record.map(String.init)
                == #"- {"path":"raw/a.csv","url":"../other","source":"data/a.csv","commit":"\#(commit)","oid":"sha256:\#(oid)"}"#
        )
        let status = try await project.sh("git status --short && git show :raw/a.csv | head -1")
        #expect(
            status
                == """
                M  .gitattributes
                A  .ml/imports.yaml
                A  raw/a.csv
                version https://git-lfs.github.com/spec/v1

                """.replacing(
                    "M  .gitattributes", with: status.hasPrefix("A") ? "A  .gitattributes" : "M  .gitattributes"))
        let again = try await project.ml("import", "../other", "data/a.csv", "--to", "raw/a.csv")
        #expect(again.output == "raw/a.csv: up to date at \(commit.prefix(10))\n", "\(again)")
        try await project.sh(
            """
            git commit -qm import && git init -q --bare ../remote.git && git remote add origin ../remote.git
            git push -q origin main && test -z "$(git status --short)"
            git ml clone ../remote.git ../copy && diff ../copy/raw/a.csv ../other/data/a.csv
            """)
    }

    @Test func `update brings what was added, changed and removed`() async throws {
        let project = try await withClone()
        _ = try await project.ml("import", "../other", "data", "--to", "d")
        try await project.sh("git commit -qm import && test -z \"$(git status --short)\"")
        try await project.sh(
            "echo two > data/a.csv; echo n > data/new; git rm -q data/sub/b.bin; git add -A; git commit -qm two",
            in: "other")
        let seen = try await project.ml("update", "--json")
        let object = try JSON.parse(seen.output)
        #expect(["added", "changed", "removed", "files"].map { object[$0]?.int } == [1, 1, 1, 3], "\(seen)")
        let status = try await project.sh("diff -r d ../other/data && git status --short")
        #expect(
            status == """
                M  .ml/imports.yaml
                M  d/a.csv
                A  d/new
                D  d/sub/b.bin

                """)
        let back = try await project.ml("update", "d", "--rev", "v1")
        #expect(back.output.hasPrefix("d/: 1 added, 1 changed, 1 removed ("), "\(back)")
        #expect(try project.text("work/.ml/imports.yaml")?.contains(#""rev":"v1""#) == true)
    }

    @Test(arguments: ["echo mine > d/a.csv", "git rm -q --cached d/a.csv", "echo x > d/a.csv; git add d", "rm d/a.csv"])
    func `an import that was changed here is left alone without force`(change: String) async throws {
        let project = try await withClone()
        _ = try await project.ml("import", "../other", "data", "--to", "d")
        try await project.sh("git commit -qm import; \(change)")
        try await project.sh("echo two > data/a.csv; git commit -qam two", in: "other")
        let before = try await project.sh("git status --short; cat d/a.csv 2>&1 || true; cat .ml/imports.yaml")
        let seen = try await project.ml("update")
        #expect(seen.status == 1)
        #expect(seen.errors.contains("d was changed here"), "\(seen)")
        let after = try await project.sh("git status --short; cat d/a.csv 2>&1 || true; cat .ml/imports.yaml")
        #expect(after == before)
        let forced = try await project.ml("update", "--force")
        #expect(forced.status == 0, "\(forced)")
        #expect(try project.text("work/d/a.csv") == "two\n")
    }

    @Test func `a new file upstream does not replace one that is in its way`() async throws {
        let project = try await withClone()
        _ = try await project.ml("import", "../other", "data", "--to", "d")
        try await project.sh("git commit -qm import; echo mine > d/new")
        try await project.sh("echo theirs > data/new; git add -A; git commit -qm two", in: "other")
        let seen = try await project.ml("update")
        #expect(seen.status == 1)
        #expect(try project.text("work/d/new") == "mine\n")
    }

    @Test func `imports of two branches merge without a conflict`() async throws {
        let project = try await withClone()
        _ = try await project.ml("import", "../other", "data/a.csv", "--to", "b.csv")
        try await project.sh("git commit -qm base; git checkout -qb side")
        _ = try await project.ml("import", "../other", "data/a.csv", "--to", "a.csv")
        try await project.sh("git commit -qm side; git checkout -q main")
        _ = try await project.ml("import", "../other", "src/big.txt", "--to", "a2.txt")
        try await project.sh("git commit -qm main; git merge -q -m both side")
        let seen = try await project.ml("update")
        #expect(seen.status == 0, "\(seen)")
        #expect(seen.output.split(separator: "\n").map { $0.prefix { $0 != ":" } } == ["a.csv", "a2.txt", "b.csv"])
    }

    @Test(arguments: [
        (["--to", "../x"], 1), (["--to", ".git/hooks/x"], 5), (["--to", "taken"], 1), (["--to", "link/x"], 5),
        (["--experiment", "e"], 64),
    ])
    func `an import never lands outside of the work tree or on other files`(words: [String], status: Int) async throws {
        let project = try await withClone()
        try await project.sh("echo mine > taken; ln -s ../out link")
        let seen = try await project.sandbox.run("git", ["ml", "import", "../other", "data/a.csv"] + words, in: "work")
        #expect(Int(seen.status) == status, "\(seen.errors)")
        let left = try await project.sh("cat taken; ls ../out ../x .git/hooks/x 2>/dev/null || true; test ! -e .ml")
        #expect(left.hasPrefix("mine\n"))
        #expect(!left.contains("a.csv"))
    }

    @Test func `a damaged record is told with its line`() async throws {
        let project = try await withClone()
        _ = try await project.ml("import", "../other", "data/a.csv")
        try await project.sh("printf '<<<<<<< HEAD\\n' >> .ml/imports.yaml")
        let seen = try await project.ml("update")
        #expect(seen.status == 5)
        #expect(seen.errors.hasPrefix("error: .ml/imports.yaml:3: this is no line of an import\n"), "\(seen)")
    }

    @Test func `a password in an address is not recorded`() async throws {
        let project = try await withClone()
        _ = try await project.ml("import", "file://ann:secret@localhost\(project.path)/other", "data/a.csv")
        let text = try project.text("work/.ml/imports.yaml")
        #expect(text?.contains("secret") != true)
    }

    // MARK: Datasets

    @Test func `a dataset is listed, brought, imported and followed by its folder's name`() async throws {
        let project = try await withClone()
        try await project.sh(
            """
            mkdir -p images/cat && for i in 1 2 3; do echo $i > images/cat/$i; done
            git ml add --dataset images && git add -A && git commit -qm images
            """, in: "other")
        let listed = try await project.ml("ls", "../other", "--json", in: "out")
        #expect(listed.output.contains(#"{"path":"images","kind":"dataset""#), "\(listed)")
        #expect(listed.output.contains(#""present":true,"files":3}"#), "\(listed)")
        try await project.sh(
            """
            pack=$(find .git/ml/objects -type f -path '*/??/??/*' -size -7c); test -n "$pack"; mv $pack ../pack
            git ml ls . images > ../own.txt
            cd ../out; git ml ls ../other images --json > ../lacks.txt; mv ../pack ../other/$pack
            """, in: "other")
        let lacks = try project.text("lacks.txt")
        #expect(lacks?.contains(#""present":false,"files":3}"#) == true, "\(lacks ?? "")")
        let got = try await project.ml("get", "../other", "images", in: "out")
        #expect(got.status == 0, "\(got)")
        try await project.sh("diff -r images ../other/images && test \"$(ls -A)\" = images", in: "out")

        let imported = try await project.ml("import", "../other", "images", "--to", "pics")
        #expect(imported.status == 0, "\(imported)")
        try await project.sh("diff -r pics ../other/images; git commit -qm import; test -z \"$(git status --short)\"")
        try await project.sh(
            "echo x > images/cat/1; rm images/cat/2; git ml add --dataset images; git commit -qam two", in: "other")
        let seen = try await project.ml("update", "pics", "--json")
        let object = try JSON.parse(seen.output)
        #expect(["added", "changed", "removed"].map { object[$0]?.int } == [0, 1, 1], "\(seen)")
        try await project.sh("diff -r pics ../other/images; git commit -qm two; echo mine > pics/cat/3")
        try await project.sh("echo y > images/cat/1; git ml add --dataset images; git commit -qam three", in: "other")
        let refused = try await project.ml("update")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("pics was changed here: pics/cat/3"), "\(refused)")
    }
}
