import Base
import SystemPackage
import TestSupport
import Testing

/// `import-dvc` on repositories that the real `dvc` has made.
struct DVCImportTests {
    /// A repository `work` in which dvc tracks a folder, a file and a stage's outputs, all pushed to the folder `store`.
    private func project() async throws -> Project {
        let project = try Project()
        try await project.sandbox.sh(
            """
            export DVC_NO_ANALYTICS=1
            git init -q work
            cd work
            dvc init -q
            mkdir -p data/sub
            echo hello > data/a.txt
            printf 'x\\r\\ny' > data/sub/b.txt
            : > data/empty
            echo big > big.bin
            dvc add -q data big.bin
            dvc stage add -q -n train -d big.bin -o out/m.bin -M metrics.json \
              'mkdir -p out; cp big.bin out/m.bin; echo model >> out/m.bin; echo "{}" > metrics.json'
            dvc repro -q
            dvc remote add -q -d here ../store
            dvc push -q
            git add -A
            git commit -qm dvc
            git ml init
            git add -A
            git commit -qm git-ml
            """)
        return project
    }

    private static let staged = """
        A  big.bin
        A  data/a.txt
        A  data/empty
        A  data/sub/b.txt
        D  out/.gitignore
        A  out/m.bin

        """

    @Test func `what is in the work tree is taken from there`() async throws {
        let project = try await project()
        try await project.sandbox.sh("rm -rf store work/.dvc/cache")
        let unknown = try await project.ml("import-dvc", "big.bin", "nothing")
        #expect(unknown.errors.hasPrefix("error: DVC tracks nothing at nothing\n"), "\(unknown)")
        let two = try await project.ml("import-dvc", "big.bin.dvc", "dvc.yaml")
        #expect(
            two.output == """
                big.bin: 4 B, from the work tree
                out/m.bin: 10 B, from the work tree
                took over 2 file(s), 14 B; look with `git status`, then commit

                """, "\(two)")
    }

    @Test func `all is taken over, nothing is modified, and the second time changes nothing`() async throws {
        let project = try await project()
        let dry = try await project.ml("import-dvc", "--dry-run")
        #expect(dry.output.hasSuffix("would take over 5 file(s), 24 B\n"), "\(dry)")
        let untouched = try await project.sh("git status --short")
        #expect(untouched == "")
        let seen = try await project.ml("import-dvc")
        #expect(
            seen.output
                == """
                big.bin: 4 B, from the work tree
                data/: 3 file(s), 10 B, from the work tree
                out/m.bin: 10 B, from the work tree
                took over 5 file(s), 24 B; look with `git status`, then commit

                """, "\(seen)")
        let status = try await project.sh("git status --short | grep -v gitattributes | grep -v '^.  .gitignore'")
        #expect(status == Self.staged)
        let attributes = try await project.sh("tail -3 .gitattributes")
        #expect(
            attributes == """
                /big.bin filter=lfs diff=lfs merge=lfs -text
                /data/** filter=lfs diff=lfs merge=lfs -text
                /out/m.bin filter=lfs diff=lfs merge=lfs -text

                """)
        try await project.sh(
            "git commit -qm taken && test -z \"$(git status --short)\" && git show :big.bin | grep -q ^oid")
        let again = try await project.ml("import-dvc", "--json")
        #expect(again.output.split(separator: "\n").count == 3)
        let clean = try await project.sh("git status --short; git diff --stat HEAD")
        #expect(clean == "")
    }

    @Test func `content comes from the cache, then from the remote, and only what is not here`() async throws {
        let project = try await project()
        let md5 = try await project.sh("md5sum big.bin").prefix(32)
        try await project.sandbox.sh(
            "rm -rf work/data work/big.bin work/out; rm work/.dvc/cache/files/md5/\(md5.prefix(2))/\(md5.dropFirst(2))")
        // What is not asked for is not there any more, and is not missed.
        try await project.sandbox.sh(
            "mv store/files/md5/\(md5.prefix(2)) kept; rm -rf store/files/md5/*; mv kept store/files/md5/\(md5.prefix(2))"
        )
        let seen = try await project.ml("import-dvc", "--json")
        let objects = try seen.output.split(separator: "\n").map { try JSON.parse(String($0)) }
        #expect(objects.map { $0["from_remote"]?.int } == [1, 0, 0], "\(seen)")
        #expect(objects.map { $0["from_cache"]?.int } == [0, 3, 1])
        let text = try await project.sh("cat big.bin out/m.bin data/a.txt; git status --short | grep -c '^ M' || true")
        #expect(text == "big\nbig\nmodel\nhello\n0\n")
    }

    @Test func `missing content is listed by name and nothing is changed`() async throws {
        let project = try await project()
        let md5 = try await project.sh("md5sum data/a.txt").prefix(32)
        try await project.sandbox.sh(
            "rm -rf work/data work/.dvc/cache; rm store/files/md5/\(md5.prefix(2))/\(md5.dropFirst(2))")
        let seen = try await project.ml("import-dvc")
        #expect(seen.status == 3)
        #expect(seen.errors.contains("the content of 1 file(s) is not in the work tree or "), "\(seen)")
        #expect(seen.errors.contains("file://\(project.path)/store: data/a.txt\n"), "\(seen)")
        let status = try await project.sh("git status --short; ls")
        #expect(!status.contains("gitattributes") && !status.contains("data\n"), "\(status)")
    }

    @Test func `content with another MD5 is refused`() async throws {
        let project = try await project()
        let md5 = try await project.sh("md5sum big.bin").prefix(32)
        try await project.sandbox.sh(
            """
            rm -rf work/big.bin work/.dvc/cache
            chmod u+w store/files/md5/\(md5.prefix(2))/*
            echo bad > store/files/md5/\(md5.prefix(2))/\(md5.dropFirst(2))
            """)
        let seen = try await project.ml("import-dvc", "big.bin.dvc")
        #expect(seen.status == 5, "\(seen)")
        #expect(seen.errors.contains("does not have the MD5 \(md5)"), "\(seen)")
    }

    @Test func `a file that was changed since stays, and shows as modified`() async throws {
        let project = try await project()
        try await project.sh("rm big.bin; echo changed > big.bin")
        let seen = try await project.ml("import-dvc", "big.bin.dvc")
        #expect(seen.errors == "git-ml: big.bin is not what DVC has last seen; it was left as it is\n", "\(seen)")
        let text = try await project.sh("cat big.bin; git status --short big.bin; git show :big.bin | tail -1")
        #expect(text == "changed\nAM big.bin\nsize 4\n")
    }

    @Test func `links into the cache become files of their own`() async throws {
        let project = try await project()
        try await project.sandbox.sh(
            "cd work && dvc config cache.type symlink && dvc checkout -q --relink && test -L big.bin")
        let seen = try await project.ml("import-dvc")
        #expect(seen.status == 0, "\(seen)")
        try await project.sh(
            "test -f big.bin -a ! -L big.bin -a -w data/a.txt -a ! -L data/a.txt && rm -rf .dvc/cache && cat big.bin")
    }

    @Test func `the cache and files of DVC 2 are understood, with its MD5 of Windows text`() async throws {
        let project = try Project()
        // As DVC 2 wrote it: no "hash: md5", a cache without files/md5, the MD5 of text with Unix line ends.
        try await project.sandbox.sh(
            """
            git init -q work && cd work && git ml init && mkdir -p .dvc && printf '[core]\\n    analytics = false\\n' > .dvc/config
            printf 'a\\r\\nb\\r\\n' > t.csv
            md5=$(printf 'a\\nb\\n' | md5sum | cut -c1-32)
            printf 'outs:\\n- md5: %s\\n  size: 6\\n  path: t.csv\\n' $md5 > t.csv.dvc
            other=$(printf 'cached' | md5sum | cut -c1-32)
            mkdir -p .dvc/cache/$(echo $other | cut -c1-2)
            printf cached > .dvc/cache/$(echo $other | cut -c1-2)/$(echo $other | cut -c3-)
            printf 'outs:\\n- md5: %s\\n  size: 6\\n  path: c.bin\\n' $other > c.bin.dvc
            printf '/t.csv\\n/c.bin\\n/own\\n' > .gitignore
            git add -A; git commit -qm dvc2
            """)
        let seen = try await project.ml("import-dvc", "--remove")
        #expect(
            seen.output == """
                c.bin: 6 B, from DVC's cache
                t.csv: 6 B, from the work tree
                took over 2 file(s), 12 B and removed 2 .dvc file(s); look with `git status`, then commit

                """, "\(seen)")
        let text = try await project.sh(
            "cat .gitignore c.bin; git ls-files | grep dvc$ || true; git status --short t.csv")
        #expect(text == "/own\ncachedA  t.csv\n")
    }

    @Test func `a remote on the web is read`() async throws {
        let project = try await project()
        let port = freePort()
        let server = try BackgroundProcess(
            try #require(ChildProcess.find("python3")),
            ["-u", "-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", "\(project.path)/store"],
            log: project.path.appending("server.log"))
        _ = try await server.waitForLog("Serving HTTP")
        try await project.sandbox.sh(
            "cd work && rm -rf data big.bin out .dvc/cache && dvc remote add -q web http://127.0.0.1:\(port)")
        let seen = try await project.ml("import-dvc", "--remote", "web")
        #expect(seen.status == 0, "\(seen)")
        let text = try await project.sh("cat big.bin data/a.txt; wc -c < data/empty")
        #expect(text == "big\nhello\n0\n")
        let unknown = try await project.ml("import-dvc", "--remote", "nope")
        #expect(unknown.errors.contains("DVC's settings name no remote “nope”"))
    }

    /// A place in the cloud that dvc itself cannot speak to here, filled with what dvc has pushed to a folder.
    enum Cloud: String, CaseIterable, Sendable {
        case s3 = "S3"
        case azure = "Azure"
    }

    /// Starts a server with the content of `store`, and makes it the remote of `work`.
    private func serve(_ cloud: Cloud, _ project: Project) async throws -> BackgroundProcess {
        let server: BackgroundProcess
        let config: String
        let secrets: String
        let fill: String
        switch cloud {
        case .s3:
            let port = freePort()
            server = try BackgroundProcess(
                Places.python.appending("moto_server"), ["-H", "127.0.0.1", "-p", "\(port)"],
                log: project.path.appending("server.log"))
            _ = try await server.waitForLog("Running on")
            config = "url = s3://bucket/a prefix"
            secrets = """
                endpointurl = http://127.0.0.1:\(port)
                    access_key_id = k
                    secret_access_key = s
                """
            fill = """
                import boto3
                s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:\(port)", region_name="us-east-1",
                                  aws_access_key_id="k", aws_secret_access_key="s")
                s3.create_bucket(Bucket="bucket")
                def put(path, key):
                    s3.upload_file(path, "bucket", key)
                """
        case .azure:
            let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldCE="
            let script = Places.package.appending(FilePath("Tests/Servers/azure_server.py").components)
            server = try BackgroundProcess(
                Places.python.appending("python3"), [script.string, "acme", key, "sig=x"],
                log: project.path.appending("server.log"))
            let port = try await server.waitForLog("ready").split(separator: " ").dropFirst().first ?? ""
            config = "url = azure://data/a prefix"
            let connection =
                "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=\(key);BlobEndpoint=http://127.0.0.1:\(port)"
            secrets = "connection_string = \(connection)"
            fill = """
                from azure.storage.blob import BlobClient
                def put(path, key):
                    with open(path, "rb") as file:
                        BlobClient("http://127.0.0.1:\(port)", "data", key,
                                   credential={"account_name": "acme", "account_key": "\(key)"}).upload_blob(file.read())
                """
        }
        try project.write(
            "fill.py",
            fill + """

                import os
                for folder, _, names in os.walk("store"):
                    for name in names:
                        path = os.path.join(folder, name)
                        put(path, "a prefix/" + os.path.relpath(path, "store"))
                """)
        try await project.sandbox.sh("python3 fill.py && rm -rf store")
        try project.write("work/.dvc/config", "[core]\n    remote = cloud\n['remote \"cloud\"']\n    \(config)\n")
        try project.write("work/.dvc/config.local", "['remote \"cloud\"']\n    \(secrets)\n")
        return server
    }

    /// The MD5s of what was downloaded from a server, sorted.
    private func downloads(_ server: BackgroundProcess) throws -> [String] {
        (try Files.readText(server.log) ?? "").split(separator: "\n").compactMap { line -> String? in
            guard line.contains("GET /"), let mark = line.firstRange(of: "files/md5/") else { return nil }
            let rest = line[mark.upperBound...].prefix { $0 != " " && $0 != "?" }
            return String(rest.filter { $0 != "/" })
        }.sorted()
    }

    @Test(arguments: Cloud.allCases)
    func `a remote in the cloud is read, with the address and the keys of the local settings`(cloud: Cloud) async throws
    {
        let project = try await project()
        let server = try await serve(cloud, project)
        try await project.sandbox.sh("rm -rf work/data work/big.bin work/out work/.dvc/cache")
        let dry = try await project.ml("import-dvc", "--dry-run")
        #expect(dry.output.hasSuffix("would take over 5 file(s), 24 B\n"), "\(dry)")
        // Only the list of the folder is needed to tell.
        #expect(try downloads(server).allSatisfy { $0.hasSuffix(".dir") })
        let seen = try await project.ml("import-dvc")
        #expect(seen.output.hasPrefix("big.bin: 4 B, from DVC's remote\n"), "\(seen)")
        let text = try await project.sh(
            "cat big.bin data/a.txt out/m.bin; git commit -qm taken; git ml fsck; git status --short data big.bin out/m.bin"
        )
        #expect(text == "big\nhello\nbig\nmodel\nAll pointers and content are right.\n")
    }

    @Test(arguments: Cloud.allCases)
    func `nothing is downloaded from the cloud that is here already, and nothing twice`(cloud: Cloud) async throws {
        let project = try await project()
        let server = try await serve(cloud, project)
        let model = try await project.sh("md5sum out/m.bin").prefix(32)
        // One file is in the work tree, a folder in the cache, a model only at the remote.
        try await project.sandbox.sh(
            "cd work && rm -rf data out .dvc/cache/files/md5/\(model.prefix(2))/\(model.dropFirst(2))")
        let seen = try await project.ml("import-dvc", "--json")
        let objects = try seen.output.split(separator: "\n").map { try JSON.parse(String($0)) }
        #expect(objects.map { $0["from_remote"]?.int } == [0, 0, 1], "\(seen)")
        #expect(try downloads(server) == [String(model)])
        try await project.sh("git commit -qm taken")
        let again = try await project.ml("import-dvc")
        #expect(again.status == 0, "\(again)")
        #expect(try downloads(server) == [String(model)])
    }

    @Test(arguments: Cloud.allCases)
    func `a folder in the cloud becomes a dataset`(cloud: Cloud) async throws {
        let project = try await project()
        let server = try await serve(cloud, project)
        try await project.sandbox.sh("cd work && rm -rf data .dvc/cache")
        let seen = try await project.ml("import-dvc", "--dataset", "data.dvc")
        #expect(seen.status == 0, "\(seen)")
        let text = try await project.sh("cat data/a.txt; git ls-files | grep -e ^data; git commit -qm x; git ml fsck")
        #expect(text == "hello\ndata.dataset\ndata.dvc\nAll pointers and content are right.\n", "\(text)")
        // What was not asked for stays there: two files, and the list.
        #expect(try downloads(server).count == 3)
    }

    @Test func `a folder becomes a dataset, from the cache too`() async throws {
        let project = try await project()
        try await project.sh("rm data/a.txt")
        let seen = try await project.ml("import-dvc", "--dataset", "--remove")
        #expect(seen.status == 0, "\(seen)")
        let text = try await project.sh(
            "cat data/a.txt; git ls-files | grep -e ^data -e big; git commit -qm x; git status --short")
        #expect(text == "hello\nbig.bin\ndata.dataset\n")
        let again = try await project.ml("status")
        #expect(again.status == 0, "\(again)")
    }

    @Test func `a folder without DVC is told`() async throws {
        let project = try Project()
        try await project.sandbox.sh("git init -q work && cd work && git ml init")
        let seen = try await project.ml("import-dvc")
        #expect(seen.status == 3)
        #expect(seen.errors.contains("holds no DVC project"))
    }
}
