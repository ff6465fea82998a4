import Base
import SystemPackage
import TestSupport
import Testing

/// `git ml package` and `git ml image`, as a person sees them.
struct ImageCommandTests {
    private let project: Project

    init() throws { project = try Project() }

    /// A repository with a model that is stored as content, a version of it, and one file of code.
    private func makeModel(_ package: String = "{files: [src]}", name: String = "churn") async throws {
        try await project.sh(
            "git init -q work && cd work && git ml init && git ml track 'models/**' && mkdir models src", in: "")
        try project.write(
            "work/ml.yaml", "version: 1\nmodels:\n  \(name):\n    path: models/m.bin\n    package: \(package)\n")
        try project.write("work/src/code.py", String(repeating: "print('hello')\n", count: 500))
        try await project.sh(
            "head -c 300000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null > models/m.bin; git add . && git commit -qm one && git tag -a '\(name.replacing(":", with: "="))@v1.0.0+gpu' -m one"
        )
    }

    private func json(_ seen: Seen) throws -> [JSON] {
        try seen.output.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    @Test func `one commit gives one image, wherever it goes, and nothing moves twice`() async throws {
        try await makeModel()
        let registry = try await DockerRegistry(project.path)
        let places = [
            "\(registry.host)/acme/churn", "oci:\(project.path)/images", "docker-archive:d.tar", "oci-archive:o.tar:v1",
        ]
        let words = ["package", "churn@v1.0.0+gpu", "--json"] + places.flatMap { ["--to", $0] }
        let dry = try json(await project.run(words + ["--dry-run"]))
        #expect(!Files.exists(project.path.appending("images")))
        let seen = try await project.run(words)
        #expect(seen.status == 0, "\(seen)")
        let first = try json(seen)
        #expect(first == dry)
        #expect(
            first.map { $0["reference"]?.string } == [
                "\(registry.host)/acme/churn:v1.0.0_gpu", "oci:\(project.path)/images:v1.0.0_gpu",
                "docker-archive:\(project.path)/work/d.tar:churn:v1.0.0_gpu",
                "oci-archive:\(project.path)/work/o.tar:v1",
            ])
        #expect(Set(first.map { $0["digest"]?.string }).count == 1)
        #expect(first[0]["layers"]?.array?.map { $0["kind"]?.string } == ["code", "model"])
        #expect(first[0]["layers"]?.array?.allSatisfy { $0["pushed"]?.bool == true } == true)
        let digest = first[0]["digest"]?.string ?? ""

        let inspected = try JSON.parse(
            await project.sh(
                "skopeo inspect --tls-verify=false docker://\(registry.host)/acme/churn:v1.0.0_gpu", in: ""))
        #expect(inspected["Digest"]?.string == digest)
        let labels = inspected["Labels"]?.texts ?? [:]
        let head = try await project.sh("git rev-parse HEAD").trimmingTrailingSpace
        let oid = try await project.sh("sha256sum models/m.bin").prefix(64)
        #expect(
            labels == [
                "org.opencontainers.image.revision": head, "org.opencontainers.image.version": "v1.0.0+gpu",
                "org.opencontainers.image.created": "2023-11-14T22:13:20Z", "org.opencontainers.image.title": "churn",
                "dev.git-ml.model": "churn", "dev.git-ml.model.oid": "sha256:\(oid)",
            ])
        try await project.sh(
            """
            umoci unpack --rootless --image images:v1.0.0_gpu bundle 2>&1
            cmp bundle/rootfs/app/model/m.bin work/models/m.bin
            cmp bundle/rootfs/app/code/src/code.py work/src/code.py
            skopeo copy -q docker-archive:work/d.tar:churn:v1.0.0_gpu dir:d
            skopeo copy -q oci-archive:work/o.tar:v1 dir:o
            """, in: "")

        let again = try json(await project.run(words))
        #expect(again[0]["layers"]?.array?.allSatisfy { $0["pushed"]?.bool == false } == true)
        #expect(again[0]["digest"]?.string == digest)
        // Another clone has nothing of what this one remembers.
        try await project.sh(
            "git clone -q work other && cd other && git ml init && git ml pull ../work || true", in: "")
        let gone = try await project.run(["package", "churn", "--to", "oci:x", "--json"], in: "other")
        let other = try json(gone).first?["digest"]?.string
        #expect(gone.status == 0 && other == digest, "\(gone)")
    }

    @Test func `people see what was packed, where it went and how much of it moved`() async throws {
        try await makeModel()
        let first = try await project.ml("package", "churn", "--to", "oci:\(project.path)/images:v1")
        let digest = first.output.split(separator: "\n").last.map(String.init) ?? ""
        let image = try #require(
            try json(await project.ml("package", "churn", "--to", "oci:../images:v1", "--json")).first)
        let sizes = image["layers"]?.array?.compactMap { $0["size"]?.int } ?? []
        #expect(sizes.count == 2)
        let (all, layers) = (ByteCount.format(image["size"]?.int ?? 0), ByteCount.format(sizes.reduce(0, +)))
        #expect(
            first.errors
                == "layer code: \(ByteCount.format(sizes[0]))\nlayer model: \(ByteCount.format(sizes[1]))\n")
        let place = "oci:\(project.path)/images:v1"
        #expect(first.output == "wrote \(place) (\(all); \(layers) of layers moved)\n\(digest)\n")
        let second = try await project.ml("package", "churn", "--to", place)
        #expect(second.output == "wrote \(place) (\(all); all of it was there)\n\(digest)\n")
        let dry = try await project.ml("package", "churn", "--to", "oci:x", "--dry-run")
        #expect(dry.output == "would write oci:\(project.path)/work/x:v1.0.0_gpu: \(layers) of layers\n\(digest)\n")

        let shown = try await project.ml("image", "inspect", "oci:../images:v1")
        #expect(shown.status == 0)
        #expect(shown.output.hasPrefix("digest:       \(digest)\nplatform:     linux/"))
        #expect(shown.output.contains("entrypoint:   python3 /app/serve/server.py\n"))
        #expect(shown.output.contains("label:        dev.git-ml.model=churn\n"))
        let json = try JSON.parse(await project.ml("image", "inspect", "oci:../images:v1", "--json").output)
        #expect(json["digest"]?.string == digest && json["layers"]?.array?.count == 2)
        let none = try await project.ml("image", "inspect", "oci:../images:v2")
        #expect(none.status == 3 && none.errors.contains("there are: v1"))
    }

    @Test func `without --to an image goes where ml.yaml says, under a name that registries take`() async throws {
        try await makeModel(name: "team:Churn")
        let registry = try await DockerRegistry(project.path)
        try await project.sh("echo 'registry: \(registry.host)/acme' >> ml.yaml")
        let seen = try await project.ml("package", "team:Churn", "--json")
        #expect(seen.status == 0, "\(seen)")
        let reference = try json(seen).first?["reference"]?.string ?? ""
        #expect(reference == "\(registry.host)/acme/team-churn.x-\(Digest.of("team:Churn").hex.prefix(8)):v1.0.0_gpu")
    }

    @Test func `a new model moves one model's bytes`() async throws {
        try await makeModel()
        let registry = try await DockerRegistry(project.path)
        let words = ["package", "churn#prod", "--to", "\(registry.host)/acme/churn:prod", "--json"]
        try await project.sh("git tag -a 'churn#prod#1' -m one")
        let first = try json(await project.run(words))
        try await project.sh(
            "printf x >> models/m.bin && git commit -qam two && git tag -a 'churn#prod#2' -m two")
        let second = try json(await project.run(words))
        #expect(first.count == 1 && second.count == 1)
        let layers = second.first?["layers"]?.array ?? []
        // The code layer tells the server its revision.
        #expect(layers.map { $0["pushed"]?.bool } == [true, true])
        try await project.sh("git commit -q --allow-empty -m three && git tag -a 'churn#prod#3' -m three")
        let third = try json(await project.run(words)).first?["layers"]?.array ?? []
        #expect(third.map { $0["pushed"]?.bool } == [true, false])
        #expect(third.last?["digest"] == layers.last?["digest"])
    }

    @Test func `the same again asks the registry one question, and what is no longer the same is packed`() async throws
    {
        try await makeModel()
        let registry = try await RegistryServer(project.path)
        let words = ["package", "churn", "--to", "\(registry.host)/acme/churn", "--json"]
        func package(_ more: String...) async throws -> (image: JSON, asked: [String]) {
            let before = try registry.requests().count
            let seen = try await project.run(words + more)
            let image = try #require(try json(seen).first, "\(seen)")
            let asked = try registry.requests().dropFirst(before).map {
                "\($0["method"]?.string ?? "") \($0["path"]?.string ?? "")"
            }
            return (image, asked)
        }
        let first = try await package()
        let question = "HEAD /v2/acme/churn/manifests/v1.0.0_gpu"
        #expect(first.asked.count > 10 && first.asked.last == "PUT" + question.dropFirst(4), "\(first.asked)")
        let again = try await package()
        // The first line is how a registry is asked for its kind of login.
        #expect(again.asked == ["GET /v2/", question])
        for key in ["reference", "digest", "platform", "size"] { #expect(again.image[key] == first.image[key]) }
        let layers = again.image["layers"]?.array ?? []
        #expect(layers.map { $0["digest"] } == (first.image["layers"]?.array ?? []).map { $0["digest"] })
        #expect(layers.map { $0["pushed"] } == [false, false])
        // Another form of the layers takes the tag, and the first one takes it back.
        let bare = try await package("--layer", "tar")
        #expect(bare.image["digest"] != first.image["digest"])
        let back = try await package()
        #expect(back.image["digest"] == first.image["digest"] && back.asked.last?.hasPrefix("PUT") == true)
        // Of the same commit: another version, which the image's labels name.
        try await project.sh("git tag -a 'churn@v1.1.0' -m x")
        let later = try await package()
        #expect(later.image["reference"]?.string?.hasSuffix(":v1.1.0") == true && later.asked.count > 2)
        // What this machine remembers may go, or be nonsense.
        try await project.sh("for f in .git/ml/runner/cache/packages/*; do echo no > $f; done")
        #expect(try await package().image["digest"] == later.image["digest"])
        try await project.sh("rm -r .git/ml/runner/cache/packages")
        #expect(try await package().image["digest"] == later.image["digest"])
    }

    @Test func `several packages at once write one layout and one registry`() async throws {
        try await makeModel()
        let registry = try await DockerRegistry(project.path)
        try await project.sh(
            """
            for i in 1 2 3 4; do
              git ml package churn --to oci:../images:v$i --to \(registry.host)/acme/churn:v$i --json > ../out-$i & jobs="$jobs $!"
            done
            for job in $jobs; do wait $job; done
            """)
        let digests = try (1...4).map {
            try JSON.parse((project.text("out-\($0)") ?? "").split(separator: "\n").first.map(String.init) ?? "")[
                "digest"]?.string
        }
        #expect(Set(digests).count == 1)
        for i in 1...4 {
            let copies =
                "skopeo inspect oci:images:v\(i) && skopeo inspect --tls-verify=false docker://\(registry.host)/acme/churn:v\(i)"
            try await project.sh("{ \(copies); } | grep -c '\(digests[0] ?? "none")'", in: "")
        }
    }

    @Test func `a bill of materials and provenance stand beside the image, and others find them valid`() async throws {
        try await makeModel("{files: [src], source: 'https://example.com/churn'}")
        let registry = try await DockerRegistry(project.path)
        try await project.sh(
            "echo '{\"auc\":0.9}' > metrics.json && git add . && git commit -qm metrics && git tag -a 'churn#prod#1' -m one"
        )
        let place = "\(registry.host)/acme/churn:prod"
        let image = try json(await project.run(["package", "churn#prod", "--to", place, "--json"])).first
        let digest = try #require(image?["digest"]?.string?.dropFirst(7).description)
        let shown = try await project.ml("image", "inspect", place)
        #expect(shown.output.contains("attached:     application/vnd.cyclonedx+json\n"))
        #expect(shown.output.contains("attached:     application/vnd.in-toto+json\n"))
        // By the tag schema, as any tool finds them.
        try project.write(
            "read.py",
            """
            import json, sys, urllib.request
            host, digest = sys.argv[1:]
            def get(path, kind): return urllib.request.urlopen(urllib.request.Request(
                f"http://{host}/v2/acme/churn/{path}", headers={"Accept": f"application/vnd.oci.image.{kind}.v1+json"})).read()
            found = {}
            for entry in json.loads(get(f"manifests/sha256-{digest}", "index"))["manifests"]:
                manifest = json.loads(get("manifests/" + entry["digest"], "manifest"))
                assert manifest["subject"]["digest"] == "sha256:" + digest
                found[entry["artifactType"]] = get("blobs/" + manifest["layers"][0]["digest"], "x").decode()
            from cyclonedx.schema import SchemaVersion
            from cyclonedx.validation.json import JsonStrictValidator
            bill = found["application/vnd.cyclonedx+json"]
            assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
            from google.protobuf.json_format import Parse
            from in_toto_attestation.v1.statement import Statement
            import in_toto_attestation.v1.statement_pb2 as pb
            text = found["application/vnd.in-toto+json"]
            statement = Statement.copy_from_pb(Parse(text, pb.Statement()))
            statement.validate()
            import in_toto_attestation.predicates.provenance.v1.provenance_pb2 as predicate
            Parse(json.dumps(json.loads(text)["predicate"]), predicate.Provenance())  # refuses what it does not know
            print(text)
            """)
        let statement = try JSON.parse(
            await project.sh("python3 ../read.py \(registry.host) \(digest)").trimmingTrailingSpace)
        #expect(statement["subject"]?.array?.first?["digest"]?["sha256"]?.string == digest)
        let head = try await project.sh("git rev-parse HEAD").trimmingTrailingSpace
        let build = statement["predicate"]?["buildDefinition"]
        #expect(build?["externalParameters"]?["commit"]?.string == head)
        #expect(build?["externalParameters"]?["stage"]?.string == "prod")
        #expect(build?["externalParameters"]?["source"]?.string == "https://example.com/churn")
        let names = build?["resolvedDependencies"]?.array?.compactMap { $0["name"]?.string }
        #expect(names == ["models/m.bin", "refs/tags/churn#prod#1"])
        let run = statement["predicate"]?["runDetails"]?["byproducts"]?.array?.first
        #expect(run?["annotations"]?["metrics"]?["auc"]?.double == 0.9)
        let none = try await project.ml("package", "churn#prod", "--no-attest", "--to", "oci:../plain:v1", "--json")
        #expect(try json(none).first?["digest"]?.string == "sha256:" + digest)
        #expect(try await !project.ml("image", "inspect", "oci:../plain:v1").output.contains("attached"))
    }

    @Test func `images are listed with versions and stages, verified, and removed when nothing needs them`()
        async throws
    {
        try await makeModel()
        let registry = try await DockerRegistry(project.path)
        try await project.sh(
            "echo 'registry: \(registry.host)/acme' >> ml.yaml && git add . && git commit -qm registry")
        let head = try await project.ml("package", "churn", "--to", "\(registry.host)/acme/churn:kept")
        #expect(head.status == 0, "\(head)")
        try await project.sh(
            """
            printf x >> models/m.bin && git commit -qam two && git tag -a churn@v2.0.0 -m two && git tag -a 'churn#prod#1' -m two
            git ml package churn@v2.0.0
            git tag -d churn@v2.0.0 && git tag -a churn@v1.5.0 -m two 'HEAD^' && git tag -a churn@v2.0.0 -m again
            printf y >> models/m.bin && git commit -qam three && git tag -a 'churn#test#2' -m three && git ml package 'churn#test'
            git tag -d 'churn#test#2'
            """)
        let three = try await project.sh("git rev-parse HEAD").trimmingTrailingSpace
        let listed = try json(await project.run(["images", "churn", "--json"]))
        #expect(listed.map { $0["tag"]?.string } == [three, "kept", "v2.0.0"])
        #expect(listed.last?["stages"] == ["prod"] && listed.last?["version"]?.string == "v2.0.0")
        let table = try await project.ml("images", "churn").output
        #expect(table.hasPrefix("TAG") && table.contains("v2.0.0") && !table.contains("sha256-"))

        let good = try await project.ml("image", "verify", "\(registry.host)/acme/churn:v2.0.0")
        #expect(good.status == 5, "the tag object of v2.0.0 was made anew: \(good)")
        #expect(good.output.contains("provenance           failed  the tag churn@v2.0.0 was moved since"))
        #expect(good.output.contains("rebuilt              ok"))
        let kept = try await project.ml("image", "verify", "\(registry.host)/acme/churn:kept", "--json")
        #expect(kept.status == 0, "\(kept)")
        #expect(
            try json(kept).map { $0["check"]?.string } == [
                "manifest and config", "layers", "commit", "rebuilt", "signature", "provenance",
            ])

        let dry = try await project.ml("images", "gc", "churn")
        #expect(dry.output.hasPrefix("would remove \(registry.host)/acme/churn:\(three) ("), "\(dry)")
        #expect(dry.output.split(separator: "\n").count == 1)
        let removed = try json(await project.run(["images", "gc", "churn", "--delete", "--json"]))
        #expect(removed.map { $0["removed"]?.bool } == [true])
        let left = try json(await project.run(["images", "churn", "--json"]))
        #expect(left.map { $0["tag"]?.string } == ["kept", "v2.0.0"])
        let none = try await project.ml("images", "gc", "churn")
        #expect(none.output == "Every image of churn there is needed.\n")
    }

    // MARK: Bases

    @Test func `a base is pinned in ml.lock, stays what it was, and is renewed when asked`() async throws {
        try await makeModel("{base: 'oci:../base:1', files: [src]}")
        try await project.sh(
            "umoci init --layout base && umoci new --image base:1 && umoci config --image base:1 --config.env A=1",
            in: "")
        let bare = try await project.ml("package", "churn", "--to", "oci:../images:v1")
        #expect(bare.status == 0, "\(bare)")
        #expect(bare.errors.hasPrefix("ml.lock: oci:../base:1 for linux/"))
        let lock = try #require(try project.text("work/ml.lock"))
        #expect(lock.contains("  oci:../base:1:\n    linux/"))
        let first = try json(await project.run(["package", "churn", "--to", "oci:../images:v1", "--json"]))

        try await project.sh(
            "git add ml.lock && git commit -qm lock && umoci config --image ../base:1 --config.env A=2")
        let second = try json(await project.run(["package", "churn", "--to", "oci:../images:v1", "--json"]))
        #expect(first == second)
        let renewed = try await project.ml("package", "churn", "--update-base", "--to", "oci:../images:v2", "--json")
        #expect(renewed.status == 0)
        #expect(try json(renewed).first?["digest"] != first.first?["digest"])
        #expect(try project.text("work/ml.lock") != lock)
        // A dry run pins nothing, and a repository without a work tree takes no unpinned base.
        try await project.sh("git checkout -q ml.lock && git ml package churn --update-base --dry-run --to oci:x")
        #expect(try project.text("work/ml.lock") != lock)
        try await project.sh(
            "rm ml.lock && git rm -q --cached ml.lock && git commit -qm unlock && git clone -q --bare . ../bare.git")
        let refused = try await project.ml("package", "churn", "--to", "oci:x", in: "bare.git")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("is not pinned for linux/") && refused.errors.contains("--update-base"))
    }

    @Test func `a base without the platform, and one that is not there, are told`() async throws {
        try await makeModel("{base: 'oci:../base:1', platform: linux/arm64}")
        try await project.sh(
            "umoci init --layout base && umoci new --image base:1 && umoci config --image base:1 --architecture s390x",
            in: "")
        let other = try await project.ml("package", "churn", "--to", "oci:x")
        #expect(other.status == 1)
        #expect(other.errors.contains("is not made for linux/arm64, but for linux/s390x"))
        let chosen = try await project.ml("package", "churn", "--platform", "linux/s390x", "--to", "oci:x", "--json")
        #expect(try json(chosen).first?["platform"]?.string == "linux/s390x")
        let none = try await project.ml("package", "churn", "--platform", "none", "--to", "oci:x")
        #expect(none.status == 1 && none.errors.contains("“none” is no platform"))
        try await project.sh("rm -r ../base")
        let gone = try await project.ml("package", "churn", "--to", "oci:x")
        #expect(gone.status == 3 && gone.errors.contains("there is no image oci:"))
    }

    // MARK: Bad input

    @Test func `links, whiteouts and missing files in a package are refused, and nothing is written`() async throws {
        try await makeModel("{files: [src]}")
        for (line, words) in [
            ("ln -s /etc/passwd src/link", "src/link cannot be packaged: it is a link or a submodule"),
            ("rm src/link && touch src/.wh.code.py", "names that start with .wh. delete files in images"),
            ("git rm -rqf src", "src is not in the commit"),
        ] {
            try await project.sh("\(line) && git add -A . && git commit -qm bad")
            try await project.sh("git tag -d 'churn@v1.0.0+gpu' 2>/dev/null || true")
            let seen = try await project.ml("package", "churn", "--to", "oci:../images:v1")
            #expect(seen.status == 1 && seen.errors.contains(words), "\(seen)")
        }
        #expect(!Files.exists(project.path.appending("images")))
        for reference in ["Acme/x", "oci:", "ghcr.io/a:b c"] {
            let seen = try await project.ml("package", "churn", "--to", reference)
            #expect(seen.status == 1 && seen.errors.contains("names no image"), "\(seen)")
        }
    }

    @Test func `a push that is ended by Ctrl-C leaves no tag, and the next one goes through`() async throws {
        try await makeModel()
        let server = try await RegistryServer(project.path)
        try server.misbehave(#"{"put-hang":-1}"#)
        let program = try BackgroundProcess(
            Places.programs.appending("git-ml"),
            [
                "package", "churn", "--to", "\(server.host)/acme/churn:v1", "--repo",
                project.path.appending("work").string,
            ], log: project.path.appending("log"))
        while try server.requests("POST", "uploads/").isEmpty, program.identity.isRunning {
            try await Task.sleep(for: .milliseconds(20))
        }
        program.identity.signal(SIGINT)
        while program.identity.isRunning { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try server.requests("PUT", "manifests/").isEmpty)
        try server.misbehave("{}")
        let seen = try await project.ml("package", "churn", "--to", "\(server.host)/acme/churn:v1")
        #expect(seen.status == 0, "\(seen)")
    }

    @Test func `a full disk is told, and leaves nothing behind`() async throws {
        try await makeModel()
        let room = project.path.appending("room")
        try Files.makeDirectory(room)
        let line = """
            mount -t tmpfs -o size=200k none '\(room)' || exit 77
            git ml package churn --to 'oci:\(room)/images:v1'; echo "status $?"; find '\(room)' -type f -size +1k
            """
        let seen = try await project.sandbox.run("unshare", ["-rm", "sh", "-c", line], in: "work")
        // Where no namespace may be made, there is no disk to fill.
        guard seen.status != 77, seen.errors.contains("unshare:") == false else { return }
        #expect(seen.text.contains("status 1"))
        #expect(seen.errors.contains("no space left on device") && seen.errors.contains("free some space"))
        #expect(seen.text.split(separator: "\n").allSatisfy { !$0.contains(".tmp") })
    }
}

extension Project {
    fileprivate func run(_ words: [String], in folder: String = "work") async throws -> Seen {
        let result = try await sandbox.run("git", ["ml"] + words, in: folder)
        return Seen(status: result.status, output: result.text, errors: result.errors)
    }
}
