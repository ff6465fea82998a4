import Base
import SystemPackage
import TestSupport
import Testing
import Transport

@testable import Storage

struct LFSSettingsTests {
    private func settings(_ pairs: [(String, String)], file: [(String, String)] = []) -> LFSSettings {
        func text(_ pairs: [(String, String)]) -> String { pairs.map { "\($0)\n\($1)\0" }.joined() }
        return LFSSettings(git: text(pairs), lfsconfig: text(file))
    }

    private func server(
        _ pairs: [(String, String)], _ direction: TransferDirection = .download, remote: String = "origin"
    )
        -> String?
    {
        guard
            case .server(let address, let ssh, _)? = LFSEndpoint.find(
                remote: remote, for: direction, in: settings(pairs), directory: "/work")
        else { return nil }
        return address + (ssh.map { " \($0.host) \($0.port ?? 0) \($0.path)" } ?? "")
    }

    // The examples of git-lfs `docs/api/server-discovery.md` and `lfsapi/endpoint_finder_test.go`.
    @Test(arguments: [
        ("https://git-server.com/foo/bar", "https://git-server.com/foo/bar.git/info/lfs"),
        ("https://git-server.com/foo/bar.git", "https://git-server.com/foo/bar.git/info/lfs"),
        ("https://git-server.com/foo/bar.git/", "https://git-server.com/foo/bar.git/info/lfs"),
        (
            "git@git-server.com:foo/bar.git",
            "https://git-server.com/foo/bar.git/info/lfs git@git-server.com 0 foo/bar.git"
        ),
        (
            "ssh://git-server.com/foo/bar.git",
            "https://git-server.com/foo/bar.git/info/lfs git-server.com 0 /foo/bar.git"
        ),
        ("ssh://git@h.com:9000/foo/bar", "https://h.com/foo/bar.git/info/lfs git@h.com 9000 /foo/bar"),
        ("[git@h.com:9000]:foo/bar", "https://h.com/foo/bar.git/info/lfs git@h.com 9000 foo/bar"),
        ("git+ssh://git@h.com/foo", "https://h.com/foo.git/info/lfs git@h.com 0 /foo"),
        ("git://h.com/foo", "https://h.com/foo.git/info/lfs"),
        ("h:/srv/foo.git", "https://h/srv/foo.git/info/lfs h 0 /srv/foo.git"),
    ])
    func `the server is guessed from the git remote as git-lfs does`(remote: String, server: String) {
        #expect(self.server([("remote.origin.url", remote)]) == server)
    }

    @Test(arguments: ["ext::sh -c x", "foo::bar", "s3://bucket/x", "http://"])
    func `an address that LFS cannot follow names no server`(address: String) {
        #expect(server([("remote.origin.url", address)]) == nil)
    }

    @Test func `what is set comes before what is guessed, for a push first what is set for pushes`() {
        let all = [
            ("remote.origin.url", "https://a/x"), ("remote.origin.pushurl", "https://b/x"),
            ("remote.origin.lfsurl", "https://c/x"), ("remote.origin.lfspushurl", "https://d/x"),
            ("lfs.url", "https://e/x"),
            ("lfs.pushurl", "https://f/x"),
        ]
        var rest = all
        var seen: [String?] = []
        for key in [
            "lfs.pushurl", "lfs.url", "remote.origin.lfspushurl", "remote.origin.lfsurl", "remote.origin.pushurl",
        ] {
            seen.append(server(rest, .upload))
            rest.removeAll { $0.0 == key }
        }
        #expect(seen == ["https://f/x", "https://e/x", "https://d/x", "https://c/x", "https://b/x.git/info/lfs"])
        #expect(server(all) == "https://e/x")
        #expect(server(Array(all.prefix(4))) == "https://c/x")
    }

    @Test func `insteadOf rewrites the longest match, pushInsteadOf only what is pushed`() {
        let pairs = [
            ("remote.origin.url", "gh:team/x"), ("url.https://short/.insteadof", "gh:"),
            ("url.https://long/.insteadof", "gh:team/"), ("url.ssh://git@push/.pushinsteadof", "gh:"),
        ]
        #expect(server(pairs) == "https://long/x.git/info/lfs")
        #expect(server(pairs, .upload) == "https://push/team/x.git/info/lfs git@push 0 /team/x")
    }

    @Test(arguments: [
        ("/srv/x.git", "/srv/x.git"), ("../x.git", "/x.git"), ("file:///srv/x.git", "/srv/x.git"),
        ("file://localhost/srv/x.git", "/srv/x.git"),
    ])
    func `a repository on this machine is its folder`(address: String, folder: String) {
        let found = LFSEndpoint.find(
            remote: "origin", for: .download, in: settings([("remote.origin.url", address)]), directory: "/work")
        #expect(found == .local(FilePath(folder)))
    }

    @Test func `lfsconfig may say only what is safe, and the user's own settings win`() {
        let file = [
            ("lfs.url", "https://theirs/x"), ("lfs.fetchexclude", "*"), ("http.extraheader", "A: b"),
            ("core.sshcommand", "rm -rf /"), ("lfs.concurrenttransfers", "999"), ("remote.up.lfsurl", "https://up/x"),
            ("url.https://evil/.insteadof", "https://good/"), ("credential.helper", "!id"),
            ("lfs.https://theirs/x.access", "basic"), ("http.https://theirs/x.sslverify", "false"),
        ]
        let only = settings([], file: file)
        #expect(only["lfs.url"] == "https://theirs/x" && only.isFromRepository("lfs.url"))
        #expect(only["remote.up.lfsurl"] == "https://up/x")
        for key in ["http.extraheader", "core.sshcommand", "lfs.concurrenttransfers", "credential.helper"] {
            #expect(only[key] == nil)
        }
        #expect(only.rewritten("https://good/x", for: .download) == "https://good/x")
        let both = settings([("lfs.url", "https://ours/x")], file: file)
        #expect(both["lfs.url"] == "https://ours/x" && !both.isFromRepository("lfs.url"))
    }

    @Test func `fetchexclude of everything speaks to the stock client only when it stands in lfsconfig`() {
        #expect(settings([], file: [("lfs.fetchexclude", "*")]).fetchExclude == [])
        #expect(settings([("lfs.fetchexclude", "*")]).fetchExclude == ["*"])
        #expect(settings([("lfs.fetchinclude", "a/*, b/ ,,c")]).fetchInclude == ["a/*", "b", "c"])
    }

    @Test func `settings for a URL follow git's rules`() throws {
        let some = settings([
            ("http.extraheader", "all"), ("http.https://h.com/.extraheader", "host"),
            ("http.https://h.com/a.extraheader", "path"), ("http.https://*.h.com/.extraheader", "wild"),
            ("http.https://h.com:444/.extraheader", "port"), ("http.https://u@h.com/a.extraheader", "user"),
        ])
        func value(_ url: String) throws -> [String] {
            some.values("http", "extraheader", for: try #require(NetworkAddress(url))).values
        }
        #expect(try value("https://h.com/b") == ["host"])
        #expect(try value("https://h.com/a/c?x") == ["path"])
        #expect(try value("https://h.com/a.git/info/lfs") == ["path"])
        #expect(try value("https://h.com/ab") == ["host"])
        #expect(try value("https://x.h.com/") == ["wild"])
        #expect(try value("https://h.com:443/") == ["host"])
        #expect(try value("https://h.com:444/") == ["port"])
        #expect(try value("https://u@h.com/a") == ["user"])
        #expect(try value("http://h.com/") == ["all"])
    }

    @Test func `netrc answers for its machine only, and default for none`() {
        let text =
            "# machine h login x password y\nmachine h\n login ann password p#1\nmachine i login b password c\ndefault login d password e\n"
        #expect(Netrc.entry(host: "h", user: nil, in: text)?.password == "p#1")
        #expect(Netrc.entry(host: "h", user: "ann", in: text)?.login == "ann")
        #expect(Netrc.entry(host: "h", user: "bob", in: text) == nil)
        #expect(Netrc.entry(host: "i", user: nil, in: text)?.login == "b")
        #expect(Netrc.entry(host: "j", user: nil, in: text) == nil)
    }

    @Test(arguments: [
        (
            ["GIT_SSH_COMMAND": "ssh -i 'a b'"],
            ["/bin/sh", "-c", #"ssh -i 'a b' "$@""#, "ssh -i 'a b'", "-p", "7", "--", "u@h", "x"]
        ),
        (["GIT_SSH": "/opt/my ssh"], ["/opt/my ssh", "-p", "7", "--", "u@h", "x"]),
        (["GIT_SSH": "plink.exe"], ["plink.exe", "-P", "7", "u@h", "x"]),
        (["GIT_SSH": "tortoiseplink"], ["tortoiseplink", "-batch", "-P", "7", "u@h", "x"]),
        ([:], ["/bin/sh", "-c", #"ssh -v "$@""#, "ssh -v", "-p", "7", "--", "u@h", "x"]),
    ])
    func `ssh is started as git starts it`(variables: [String: String], words: [String]) throws {
        let ssh = SSHCommand(settings([("core.sshcommand", "ssh -v")])) { variables[$0] }
        let account = SSHAccount(host: "u@h", port: 7, path: "p")
        #expect(try [ssh.program] + ssh.arguments(account, command: "x") == words)
    }

    @Test(arguments: ["-oProxyCommand=touch /tmp/p", "", "a b", "h\nx"])
    func `a host that ssh might take for something else is refused`(host: String) {
        let ssh = SSHCommand(settings([])) { _ in nil }
        #expect(throws: SSHFailure.notAHost(host)) {
            try ssh.arguments(SSHAccount(host: host, port: nil, path: "p"), command: "x")
        }
    }
}

struct LFSHrefTests {
    @Test(arguments: [
        ("https://h.com/", "https://s3.amazonaws.com/x", true), ("https://h.com/", "http://h.com/x", false),
        ("https://h.com/", "https://169.254.169.254/x", false), ("https://h.com/", "https://127.0.0.1/x", false),
        ("https://h.com/", "https://2130706433/x", false), ("https://h.com/", "https://0x7f.1/x", false),
        ("https://h.com/", "https://localhost/x", false), ("https://h.com/", "https://[::1]/x", false),
        ("https://h.com/", "https://[::ffff:10.0.0.1]/x", false), ("https://h.com/", "https://10.0.0.1/x", false),
        ("https://10.0.0.2/", "https://10.0.0.1/x", true), ("https://10.0.0.2/", "https://127.0.0.1/x", false),
        ("http://127.0.0.1/", "http://127.0.0.1:9/x", true), ("http://127.0.0.1/", "http://10.0.0.1/x", true),
        ("http://127.0.0.1/", "http://169.254.169.254/x", false), ("http://127.0.0.1/", "ftp://127.0.0.1/x", false),
        ("https://h.com/", "https://[fe80::1]/x", false), ("https://h.com/", "https://[fd00::1]/x", false),
    ])
    func `a server may send us to the internet and to its own kind of network only`(
        server: String, href: String, isFine: Bool
    ) throws {
        let (server, href) = (try #require(NetworkAddress(server)), try #require(NetworkAddress(href)))
        if isFine {
            try LFSHref.check(href, namedBy: server)
        } else {
            #expect(throws: RemoteFailure.self) { try LFSHref.check(href, namedBy: server) }
        }
    }

    @Test(arguments: [
        ("/x?a=b", "https://h.com:8443/x?a=b"), ("y", "https://h.com:8443/a/y"), ("//i/z", "https://i/z"),
        ("https://j/q", "https://j/q"), ("?c", "https://h.com:8443/a/b?c"),
    ])
    func `an href without host is one of the server's own`(reference: String, whole: String) throws {
        let base = try #require(NetworkAddress("https://u:p@h.com:8443/a/b?q"))
        #expect(base.resolving(reference)?.text == whole)
        #expect(base.shown == "https://h.com:8443/a/b")
    }

    @Test(arguments: ["file:///etc/passwd", "file:x", "data:,x", "gopher://h/x"])
    func `an href of another kind is none`(reference: String) throws {
        let base = try #require(NetworkAddress("https://h.com/a"))
        let json: JSON = ["href": .string(reference)]
        let action = LFSAction(json, base: base, isAuthenticated: false)
        #expect(action == nil || !["http", "https"].contains(action?.href.scheme))
    }

    @Test func `the end of an action is read in every form`() throws {
        let now = Timestamp(seconds: 1_000_000)
        #expect(LFSAction.expiry(["expires_in": 60], now: now) == Timestamp(seconds: 1_000_060))
        #expect(
            LFSAction.expiry(["expires_in": -60, "expires_at": "2040-01-01T00:00:00Z"], now: now)
                == Timestamp(seconds: 999_940))
        #expect(LFSAction.expiry(["expires_at": "2016-11-10T15:29:07Z"]) == Timestamp("2016-11-10T15:29:07Z"))
        #expect(LFSAction.expiry(["expires_at": "2016-11-10T15:29:07+01:30"]) == Timestamp("2016-11-10T13:59:07Z"))
        #expect(
            LFSAction.expiry(["expires_at": "2016-11-10T15:29:07.123-00:30"]) == Timestamp("2016-11-10T15:59:07.123Z"))
        #expect(LFSAction.expiry(["expires_at": "0001-01-01T00:00:00Z"]) == nil)
        #expect(LFSAction.expiry([:]) == nil)
    }

    @Test func `a header with a line break is left out`() throws {
        let base = try #require(NetworkAddress("https://h.com/a"))
        let json: JSON = ["href": "/x", "header": ["A": "b\r\nHost: evil", "C\n": "d", "E": "f"]]
        #expect(LFSAction(json, base: base, isAuthenticated: false)?.headers == ["E": "f"])
    }
}
