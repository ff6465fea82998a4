import Base
import SystemPackage
import TestSupport
import Testing

/// A project whose remote is a real LFS server, beside clones of the stock git-lfs client.
struct LFSBench {
    let project: Project
    let server: LFSServer
    /// The address of the repository.
    let url: String
    let objects: FilePath

    init(
        users: [String] = [], variables: [String: String] = [:], options: (FilePath) -> [String] = { _ in [] }
    ) async throws {
        project = try Project()
        let root = project.path.appending("root")
        try Files.makeDirectory(root)
        server = try await LFSServer(
            root: root, users: users, options: options(project.path), variables: variables)
        objects = try await server.makeRepository()
        url = "\(server.url)/r.git"
    }

    /// A clone of ours with two tracked files, pushed.
    func makeOurs() async throws {
        try await project.sh(
            Self.ours(at: url, files: "head -c 300000 /dev/urandom > a.bin; printf small > b.bin"), in: "")
    }

    /// The lines that make a clone `work` of ours and push tracked files.
    ///
    /// `settings` come before `git ml init`, and are for git.
    static func ours(at url: String, settings: [String] = [], files: String = "printf one > a.bin") -> String {
        (["git init -q work", "cd work", "git remote add origin '\(url)'"] + settings.map { "git config " + $0 }
            + ["git ml init", pushed(files)]).joined(separator: "\n")
    }

    /// The lines that track, commit and push files in a clone that is set up.
    static func pushed(_ files: String) -> String {
        """
        git ml track '*.bin'
        \(files)
        git add -A
        git commit -q -m one
        git push -q origin main

        """
    }

    /// The same for a clone `stock` of the stock client; `settings` are lines before the first file.
    static func theirs(at url: String, settings: String = "true") -> String {
        """
        git init -q stock
        cd stock
        git lfs install --local
        git remote add origin \(url)
        \(settings)
        git lfs track '*.bin'
        head -c 200000 /dev/urandom > a.bin
        git add -A
        git commit -q -m one
        git push -q -u origin main
        """
    }

    /// The settings of `git lfs install`, for one call of git.
    static let stock =
        "-c filter.lfs.process='git-lfs filter-process' -c filter.lfs.required=true -c filter.lfs.clean='git-lfs clean -- %f'"
        + " -c filter.lfs.smudge='git-lfs smudge -- %f'"

    func isAtServer(_ path: String) throws -> Bool {
        let content = try Digest.of(file: project.path.appending(FilePath(path).components))
        let hex = content.digest.hex
        let file = objects.appending(String(hex.prefix(2))).appending(String(hex.dropFirst(2).prefix(2))).appending(hex)
        return Files.status(file)?.size == content.size
    }

    /// What the branch at the server points to; empty when there is none.
    func head() async throws -> String {
        try await project.sh("git -C root/r.git rev-parse -q --verify refs/heads/main || true", in: "")
    }
}

@Suite(.serialized) struct LFSInteropTests {
    @Test func `the stock client clones, checks, lists and pulls what we pushed`() async throws {
        let bench = try await LFSBench()
        try await bench.makeOurs()
        #expect(try bench.isAtServer("work/a.bin") && bench.isAtServer("work/b.bin"))
        let seen = try await bench.project.sh(
            """
            git \(LFSBench.stock) clone -q \(bench.url) stock
            cmp work/a.bin stock/a.bin
            cmp work/b.bin stock/b.bin
            cd stock
            git lfs fsck
            git lfs ls-files -n
            rm a.bin
            git \(LFSBench.stock) lfs pull
            cmp ../work/a.bin a.bin
            GIT_LFS_SKIP_SMUDGE=1 git \(LFSBench.stock) clone -q \(bench.url) ../skipped
            cd ../skipped
            head -c 45 a.bin
            git \(LFSBench.stock) lfs pull
            cmp a.bin ../work/a.bin
            """, in: "")
        #expect(seen.contains("Git LFS fsck OK"))
        #expect(seen.contains("a.bin\nb.bin\n"))
        #expect(seen.contains("version https://git-lfs.github.com/spec/v1"))
    }

    @Test func `we clone and pull what the stock client pushed, and both go on in one clone`() async throws {
        let bench = try await LFSBench()
        let project = bench.project
        try await project.sh(
            """
            \(LFSBench.theirs(at: bench.url))
            cd ..
            git ml clone \(bench.url) work
            cmp work/a.bin stock/a.bin
            cd work
            git status --porcelain | grep -v ml.yaml | (! grep .)
            head -c 100000 /dev/urandom > c.bin
            git add c.bin
            git commit -q -m two
            git push -q origin main
            cd ../stock
            git pull -q
            cmp c.bin ../work/c.bin
            printf three > d.bin
            git add d.bin
            git commit -q -m three
            git push -q origin main
            cd ../work
            git pull -q
            cmp d.bin ../stock/d.bin
            git lfs fsck
            """, in: "")
        #expect(try bench.isAtServer("work/c.bin") && bench.isAtServer("work/d.bin"))
        // What one client has sent the other need not send again.
        let dry = try await project.sh("git lfs push --dry-run origin main")
        #expect(!dry.contains("=>"))
    }

    @Test func `a server that wants to know who we are asks git's helper once for git and for us`() async throws {
        let bench = try await LFSBench(users: ["ann:se cret"])
        let project = bench.project
        try project.write(
            "helper",
            "#!/bin/sh\necho \"$1\" >> \(project.path)/asked\n[ $1 != get ] || printf 'username=ann\\npassword=se cret\\n'\n"
        )
        try await project.sh(
            "chmod +x helper\n"
                + LFSBench.ours(at: bench.url, settings: ["credential.helper '\(project.path)/helper'"]), in: "")
        #expect(try bench.isAtServer("work/a.bin"))
        #expect(try await project.sh("git config lfs.\(bench.url)/info/lfs.access") == "basic\n")
        let log = try await project.sh("cat .git/config; git log -p; cat ../root/log-* || true")
        #expect(!log.contains("se cret") && !log.contains("c2UgY3JldA"))
        // The stock client reads what we have learned.
        let stock = try await project.sh("git lfs env | grep '^Endpoint'")
        #expect(stock.contains("(auth=basic)"))
        let wrong = try await project.sandbox.run(
            "git",
            [
                "-c", "credential.helper=", "-c", "credential.helper=!f() { echo username=bob; echo password=x; }; f",
                "push", "origin", "main",
            ], in: "work")
        #expect(wrong.status != 0)
    }

    @Test(arguments: [
        #"{"batch-error":{"times":-1,"code":422,"message":"not today"}}"#, #"{"batch-html":-1}"#,
        #"{"upload-507":-1}"#, #"{"batch-top-level":{"times":-1,"status":403,"message":"read only"}}"#,
    ])
    func `an upload that fails stops the push before any ref moves`(faults: String) async throws {
        let bench = try await LFSBench()
        try await bench.makeOurs()
        let before = try await bench.head()
        try await bench.project.sh("printf two > c.bin; git add c.bin; git commit -q -m two")
        try bench.server.misbehave(faults)
        let push = try await bench.project.sandbox.run("git", ["push", "origin", "main"], in: "work")
        #expect(push.status != 0)
        #expect(push.errors.contains("error: "), "\(push.errors)")
        let after = try await bench.head()
        #expect(before == after)
        try bench.server.misbehave("{}")
        try await bench.project.sh("git push -q origin main")
        #expect(try bench.isAtServer("work/c.bin"))
    }

    @Test func `a push that is killed half way continues where it was`() async throws {
        let bench = try await LFSBench()
        try await bench.makeOurs()
        let project = bench.project
        try await project.sh("for i in $(seq 300); do echo $i > f$i.bin; done; git add -A; git commit -q -m many")
        // The server waits in the middle for the kill.
        try bench.server.misbehave(#"{"upload-hold":{"times":-1,"after":40}}"#)
        let before = try bench.server.count("PUT", "")
        let first = try await bench.head()
        try await project.sh(
            """
            setsid git push -q origin main & push=$!
            while [ $(find ../root/r.git/lfs/objects -type f | wc -l) -lt 40 ]; do kill -0 $push; sleep 0.05; done
            /bin/kill -9 -- -$push
            wait $push || true
            """)
        let refs = try await bench.head()
        try bench.server.misbehave("{}")
        try await project.sh("git push -q origin main")
        let sent = try bench.server.requests().filter { $0["method"] == "PUT" }.compactMap { $0["path"]?.string }
        // Those that were under way when it was killed may have been sent twice.
        #expect(sent.count - before <= 300 + 8, "\(sent.count - before)")
        #expect(Set(sent).count == 302)
        #expect(refs == first)
        #expect(try await bench.head() == project.sh("git rev-parse HEAD"))
    }

    @Test func `git-lfs-authenticate over ssh says where the server is and opens it`() async throws {
        let bench = try await LFSBench(users: ["ann:x"], variables: ["LFS_SERVER_TOKEN": "t0ken"])
        let project = bench.project
        try project.write(
            "bin/git-lfs-authenticate",
            """
            #!/bin/sh
            echo "$1 $2" >> \(project.path)/asked
            echo '{"href":"\(bench.url)/info/lfs","header":{"Authorization":"RemoteAuth t0ken"},"expires_in":600}'

            """)
        try await project.sh("chmod +x bin/git-lfs-authenticate", in: "")
        let ssh = try await SSHServer(project.path.appending("ssh"), programs: project.path.appending("bin"))
        let address = "ssh://\(ssh.address)\(project.path)/root/r.git"
        try await project.sh(
            LFSBench.ours(
                at: address, settings: ["core.sshCommand '\(ssh.command)'"],
                files: "for i in $(seq 20); do echo $i > f$i.bin; done"), in: "")
        #expect(try bench.isAtServer("work/f7.bin"))
        #expect(try project.text("asked") == "\(project.path)/root/r.git upload\n")
        try await project.sh(
            """
            GIT_SSH_COMMAND='\(ssh.command)' git ml clone '\(address)' again
            cmp again/f7.bin work/f7.bin
            GIT_SSH_COMMAND='\(ssh.command)' git \(LFSBench.stock) clone -q '\(address)' stock
            cmp stock/f7.bin work/f7.bin
            """, in: "")
        #expect(try project.text("asked")?.contains("r.git download") == true)
    }

    @Test func `data at an ssh host: pushed, pulled, and a plain clone with git-lfs works`() async throws {
        let project = try await Project.withRemote()
        let ssh = try await SSHServer(project.path.appending("ssh"))
        try project.write("work/ml.yaml", "version: 1\ndata:\n  remote: ssh://\(ssh.address)\(project.path)/data\n")
        try await project.sh(
            """
            git config core.sshCommand '\(ssh.command)'
            git ml init
            \(LFSBench.pushed("head -c 100000 /dev/urandom > a.bin"))
            cd ..
            git \(LFSBench.stock) clone -q remote.git stock
            head -c 7 stock/a.bin
            GIT_SSH_COMMAND='\(ssh.command)' git ml clone remote.git again
            cmp again/a.bin work/a.bin
            cd stock
            git config core.sshCommand '\(ssh.command)'
            git ml init
            cmp a.bin ../work/a.bin
            """)
        let stored = try await project.sh("find data -type f | wc -l", in: "")
        #expect(stored.trimmingTrailingSpace == "1")
    }

    @Test func `lfsconfig names the server for ours and for the stock client`() async throws {
        let bench = try await LFSBench()
        let project = bench.project
        try await project.sh(
            """
            git init -q --bare elsewhere.git
            \(LFSBench.ours(at: "../elsewhere.git", settings: ["-f .lfsconfig lfs.url \(bench.url)/info/lfs"]))
            cd ..
            git \(LFSBench.stock) clone -q elsewhere.git stock
            cmp stock/a.bin work/a.bin
            git ml clone elsewhere.git again
            cmp again/a.bin work/a.bin
            """, in: "")
        #expect(try bench.isAtServer("work/a.bin"))
    }

    @Test func `a certificate counts where git's settings say so, and only there`() async throws {
        let maker = try Project()
        try await maker.sh(
            """
            openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -days 2 \
              -keyout key.pem -out cert.pem 2> /dev/null
            """, in: "")
        let cert = maker.path.appending("cert.pem")
        let bench = try await LFSBench(options: { _ in
            ["--cert", cert.string, "--key", maker.path.appending("key.pem").string]
        })
        #expect(bench.url.hasPrefix("https://"))
        let seen = try await bench.project.sh(
            """
            unset GIT_SSL_CAINFO SSL_CERT_FILE CURL_CA_BUNDLE
            \(LFSBench.ours(at: bench.url, settings: ["http.\(bench.server.url)/.sslCAInfo \(cert)"]))
            git config --unset http.\(bench.server.url)/.sslCAInfo
            git -c http.sslVerify=false ml pull
            rm -r .git/lfs a.bin
            GIT_LFS_SKIP_SMUDGE=1 git checkout -q a.bin || printf 'version https://git-lfs.github.com/spec/v1\n' > a.bin
            git cat-file blob HEAD:a.bin > a.bin
            ! git ml pull 2> errors
            cat errors
            git -c http.sslVerify=false ml pull
            """, in: "")
        #expect(seen.contains("SSL certificate problem"), "\(seen)")
        #expect(try bench.project.text("work/a.bin") == "one")
    }

    @Test func `netrc opens the server to both clients`() async throws {
        let bench = try await LFSBench(users: ["ann:n3trc"])
        let project = bench.project
        try project.write("home/.netrc", "machine 127.0.0.1 login ann password n3trc\n")
        try await project.sh(
            """
            cp "$HOME/.gitconfig" home/
            export HOME="$PWD/home"
            \(LFSBench.ours(at: bench.url))
            git \(LFSBench.stock) clone -q \(bench.url) ../stock
            cmp a.bin ../stock/a.bin
            """, in: "")
        #expect(try bench.isAtServer("work/a.bin"))
    }
}
