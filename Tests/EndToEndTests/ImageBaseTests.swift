import Base
import SystemPackage
import TestSupport
import Testing

/// Images on a real base, a Debian with Python (`make test` makes it), with packages installed for it.
struct ImageBaseTests {
    private let project: Project

    init() throws { project = try Project() }

    /// A pure wheel and one for a processor, as an index has them; `name` may be there as source only.
    private func wheel(_ file: String, _ name: String, _ module: String) throws -> String {
        """
        python3 - <<'X'
        import base64, hashlib, zipfile
        files = {"\(name)/__init__.py": "VALUE = '\(module)'\\n", "\(name)-1.0.dist-info/METADATA":
          "Metadata-Version: 2.1\\nName: \(name)\\nVersion: 1.0\\n", "\(name)-1.0.dist-info/WHEEL":
          "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: " + "\(file)".split("-", 2)[2][:-4] + "\\n"}
        record = "".join(f"{n},sha256={base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).decode().rstrip('=')},{len(t)}\\n" for n, t in files.items())
        with zipfile.ZipFile("wheels/\(file)", "w") as zip:
            for n, t in files.items(): zip.writestr(n, t)
            zip.writestr("\(name)-1.0.dist-info/RECORD", record + "\(name)-1.0.dist-info/RECORD,,\\n")
        X
        """
    }

    private func makeModel(_ package: String, installer: String = "pip") async throws {
        try await project.sh(
            "git init -q work && cd work && git ml init && git config ml.installer \(installer)", in: "")
        try project.write(
            "work/ml.yaml", "version: 1\nmodels:\n  m:\n    path: m.txt\n    package: \(package)\n")
        try project.write("work/m.txt", "3")
        try project.write(
            "work/serve_model.py",
            """
            import fast
            def load(path): return int(open(path).read())
            def predict(model, inputs): return [model * len(inputs)]
            """)
        try project.write("work/requirements.txt", "-r more/list.txt\n")
        try project.write("work/more/list.txt", "fast==1.0\n")
        try await project.sh("git add . && git commit -qm one")
        try Files.makeDirectory(project.path.appending("wheels"))
    }

    private func package(_ more: String...) async throws -> Seen {
        let result = try await project.sandbox.run(
            "git", ["ml", "package", "m", "--to", "oci:../images:v1", "--json"] + more, in: "work",
            environment: [
                "UV_NO_CACHE": "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "\(project.path)/wheels",
                "PIP_CONFIG_FILE": "/dev/null",
            ])
        return Seen(status: result.status, output: result.text, errors: result.errors)
    }

    @Test func `packages are installed for the image's platform and Python, not for this machine's`() async throws {
        try await makeModel("{requirements: requirements.txt, python: 3.9, platform: linux/arm64}")
        for file in [
            "fast-1.0-cp39-cp39-manylinux_2_17_aarch64.whl", "fast-1.0-cp39-cp39-manylinux_2_17_x86_64.whl",
            "fast-1.0-cp311-cp311-manylinux_2_17_aarch64.whl",
        ] { try await project.sh(wheel(file, "fast", file), in: "") }
        let seen = try await package()
        #expect(seen.status == 0, "\(seen)")
        try await project.sh("umoci unpack --rootless --image images:v1 bundle 2>&1", in: "")
        let text = try project.text("bundle/rootfs/app/deps/fast/__init__.py")
        #expect(text == "VALUE = 'fast-1.0-cp39-cp39-manylinux_2_17_aarch64.whl'\n")
        // What is installed once is not installed again, and an image without a record of it is the same.
        try await project.sh("rm -r wheels", in: "")
        let again = try await package()
        #expect(again.status == 0)
        #expect(try JSON.parse(again.output)["digest"] == JSON.parse(seen.output)["digest"])
        let layers = try JSON.parse(again.output)["layers"]?.array?.map { $0["kind"]?.string }
        #expect(layers == ["dependencies", "code", "model"])
    }

    @Test func `uv installs the same as pip, and names what has no wheel`() async throws {
        try await makeModel("{requirements: requirements.txt, python: 3.9, platform: linux/arm64}", installer: "uv")
        let file = "fast-1.0-cp39-cp39-manylinux_2_17_aarch64.whl"
        try await project.sh(wheel(file, "fast", file), in: "")
        let uv = try await package()
        #expect(uv.status == 0, "\(uv)")
        try await project.sh("rm -r .git/ml/runner/cache && git config ml.installer pip")
        let pip = try await package()
        #expect(pip.status == 0, "\(pip)")
        #expect(try JSON.parse(uv.output)["digest"] == JSON.parse(pip.output)["digest"])
        let other = "fast-1.0-cp39-cp39-manylinux_2_17_x86_64.whl"
        try await project.sh(
            "rm -r work/.git/ml/runner/cache && git -C work config ml.installer uv && mv wheels/\(file) wheels/\(other)",
            in: "")
        let absent = try await package()
        #expect(absent.status == 1 && absent.errors.contains("fast==1.0"), "\(absent)")
        #expect(absent.errors.contains("cannot be installed for linux/arm64, Python 3.9"), "\(absent)")
    }

    @Test func `packages that have no wheel for the platform are named, and those that are source only as such`()
        async throws
    {
        try await makeModel("{requirements: requirements.txt, python: 3.9, platform: linux/arm64}")
        let file = "fast-1.0-cp39-cp39-manylinux_2_17_x86_64.whl"
        try await project.sh(wheel(file, "fast", file), in: "")
        let absent = try await package()
        #expect(absent.status == 1)
        #expect(absent.errors.contains("for linux/arm64, Python 3.9: there is nothing of fast==1.0"), "\(absent)")
        try await project.sh(
            "mkdir fast-1.0 && echo x > fast-1.0/setup.py && tar -czf wheels/fast-1.0.tar.gz fast-1.0", in: "")
        let source = try await package()
        #expect(source.status == 1)
        #expect(source.errors.contains("there is only source of fast==1.0"), "\(source)")
        #expect(!Files.exists(project.path.appending("images")))
    }

    @Test func `a digest that the requirements name is held`() async throws {
        try await makeModel("{requirements: requirements.txt}")
        try await project.sh(wheel("fast-1.0-py3-none-any.whl", "fast", "one"), in: "")
        let good = try await project.sh("sha256sum wheels/fast-1.0-py3-none-any.whl", in: "").prefix(64)
        try project.write("work/more/list.txt", "fast==1.0 --hash=sha256:\(good)\n")
        try await project.sh("git commit -qam good")
        let seen = try await package()
        #expect(seen.status == 0, "\(seen)")
        try project.write("work/more/list.txt", "fast==1.0 --hash=sha256:\(String(repeating: "0", count: 64))\n")
        try await project.sh("git commit -qam bad")
        let refused = try await package()
        #expect(refused.status == 1 && refused.errors.contains("HASHES"), "\(refused)")
    }

    /// The whole way: base in a registry, image beside it, unpacked by umoci, its server started from the tree and asked.
    @Test(.timeLimit(.minutes(10)))
    func `the image's server runs on a real base`() async throws {
        let base = Places.package.appending(".build").appending("base")
        try #require(Files.exists(base.appending("index.json")), "make test makes the base image")
        let registry = try await DockerRegistry(project.path)
        try await project.sh(
            "skopeo copy -q --dest-tls-verify=false 'oci:\(base):python' docker://\(registry.host)/library/python:3",
            in: "")
        let python =
            try await project.sh(
                "gzip -dc $(ls -S '\(base)'/blobs/sha256/* | head -1) | tar -t | grep -o 'usr/bin/python3[.][0-9]*$'",
                in: ""
            ).trimmingTrailingSpace
        try await makeModel(
            "{base: '\(registry.host)/library/python:3', python: \(python.dropFirst(14)), requirements: requirements.txt, files: [serve_model.py]}"
        )
        try project.write("work/more/list.txt", "numpy==2.1.3\n")
        try await project.sh("sed -i 's/import fast/import numpy/' serve_model.py && git commit -qam numpy")
        let place = "\(registry.host)/acme/m:v1"
        let first = try await project.ml("package", "m", "--to", place, "--json")
        #expect(first.status == 0, "\(first)")
        try await project.sh("git add ml.lock . && git commit -qm locked")
        let image = try JSON.parse(await project.ml("package", "m", "--to", place, "--json").output)
        let layers = image["layers"]?.array ?? []
        #expect(layers.map { $0["kind"]?.string } == ["base", "dependencies", "code", "model"])
        // The base was mounted; code tells its commit.
        #expect(layers.map { $0["pushed"]?.bool } == [false, false, true, false])

        try await project.sh(
            """
            skopeo copy -q --src-tls-verify=false docker://\(place) oci:pulled:v1
            umoci unpack \(getuid() == 0 ? "" : "--rootless") --image pulled:v1 bundle 2>&1
            """, in: "")
        try await serve(revision: project.sh("git rev-parse HEAD").trimmingTrailingSpace)
    }

    private func serve(revision: String) async throws {
        let inspected = try JSON.parse(await project.sh("skopeo inspect --config oci:pulled:v1", in: ""))
        let config = try #require(inspected["config"])
        let entrypoint = config["Entrypoint"]?.array?.compactMap(\.string) ?? []
        let variables = (config["Env"]?.array ?? []).compactMap(\.string).filter { !$0.hasPrefix("PORT=") }
        let port = freePort()
        let root = project.path.appending("bundle").appending("rootfs").string
        let change = getuid() == 0 ? ["chroot"] : ["unshare", "--map-root-user", "--root"]
        let words = change + [root, "/usr/bin/env", "-i", "PORT=\(port)"] + variables + entrypoint
        let program = try #require(ChildProcess.find(words[0], path: "/usr/sbin:/usr/bin:/sbin:/bin"))
        let server = try BackgroundProcess(program, Array(words.dropFirst()), log: project.path.appending("server.log"))
        let address = "http://127.0.0.1:\(port)"
        let answer = try await project.sandbox.run(
            "curl",
            [
                "-sS", "--retry", "60", "--retry-delay", "1", "--retry-connrefused", "--retry-all-errors", "-f", "-D",
                "-",
                "-H", "Content-Type: application/json", "-d",
                #"{"inputs":[{"name":"x","shape":[2,1],"datatype":"FP64","data":[1,2]}]}"#,
                "\(address)/v2/models/m/infer",
            ])
        let log = try Files.readText(server.log) ?? ""
        #expect(answer.status == 0, "\(answer.errors) \(log)")
        #expect(answer.text.contains(revision) && answer.text.contains("6"), "\(answer.text) \(log)")
    }
}
