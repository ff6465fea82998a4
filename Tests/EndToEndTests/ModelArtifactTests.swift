import Base
import SystemPackage
import TestSupport
import Testing

/// Bare models as artifacts, servers of other kinds, and the templates; with readers that know nothing of us.
struct ModelArtifactTests {
    private let project: Project

    init() throws { project = try Project() }

    private func makeModel(_ package: String = "{}", path: String = "models/m") async throws {
        try await project.sh(
            "git init -q work && cd work && git ml init && git ml track 'models/**' && mkdir -p models/m/sub", in: "")
        try project.write("work/ml.yaml", "version: 1\nmodels:\n  churn: {path: \(path), package: \(package)}\n")
        try project.write("work/models/m/weights.onnx", String(repeating: "weights ", count: 20_000))
        try project.write("work/models/m/sub/labels.txt", "a\nb\n")
        try await project.sh("git add . && git commit -qm one && git tag -a churn@v1.0.0 -m one")
    }

    @Test func `oras and skopeo read a bare model, and its blobs are the repository's own content`() async throws {
        try await makeModel()
        let registry = try await DockerRegistry(project.path)
        let place = "\(registry.host)/acme/churn"
        let seen = try await project.ml(
            "package", "churn", "--format", "artifact", "--to", place, "--to", "oci:../models:v1", "--to",
            "oci-archive:../m.tar:v1", "--json")
        #expect(seen.status == 0, "\(seen)")
        let pushed = try seen.output.split(separator: "\n").map { try JSON.parse(String($0)) }
        #expect(Set(pushed.map { $0["digest"]?.string }).count == 1)
        #expect(pushed.first?["reference"]?.string == "\(place):v1.0.0__model")
        let oid = try await project.sh("sha256sum models/m/weights.onnx").prefix(64)
        #expect(pushed.first?["layers"]?.array?.contains { $0["digest"]?.string == "sha256:\(oid)" } == true)

        try project.write(
            "pull.py",
            """
            import oras.client, sys
            client = oras.client.OrasClient(insecure=True)
            manifest = client.get_manifest(sys.argv[1])
            assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json", manifest
            assert manifest["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json", manifest
            assert {l["mediaType"] for l in manifest["layers"]} == {"application/vnd.cncf.model.weight.v1.raw"}
            client.pull(target=sys.argv[1], outdir="pulled")
            """)
        try await project.sh(
            """
            python3 pull.py \(place):v1.0.0__model
            diff -r work/models/m pulled
            skopeo copy -q --src-tls-verify=false docker://\(place):v1.0.0__model dir:copied
            cmp copied/\(oid) work/models/m/weights.onnx
            skopeo copy -q oci-archive:m.tar:v1 oci:again:v1
            skopeo inspect --raw oci:models:v1 > manifest.json
            """, in: "")
        let config = try JSON.parse(await project.sh("skopeo inspect --config --raw oci:models:v1", in: ""))
        #expect(
            config["descriptor"]?["name"]?.string == "churn" && config["descriptor"]?["version"]?.string == "v1.0.0")
        #expect(config["config"]?["format"]?.string == "onnx")
        #expect(config["modelfs"]?["diffIds"]?.array?.count == 2)

        let verified = try await project.ml("image", "verify", "\(place):v1.0.0__model")
        #expect(verified.status == 0 && verified.output.contains("rebuilt              ok"), "\(verified)")
        let listed = try await project.ml("images", "churn", "--at", place).output
        #expect(listed.contains("v1.0.0__model"))
        let docker = try await project.ml("package", "churn", "--format", "artifact", "--to", "docker-archive:x.tar")
        #expect(docker.status == 1 && docker.errors.contains("no image that docker could load"), "\(docker)")
        let again = try await project.ml("package", "churn", "--format", "artifact", "--to", place)
        #expect(again.output.contains("all of it was there"), "\(again)")
    }

    @Test func `a folder of very many files is one tar archive`() async throws {
        try await makeModel()
        try await project.sh(
            "git rm -rqf models && mkdir -p models/m && for i in $(seq 510); do echo $i > models/m/$i.txt; done && git add . && git commit -qm many && git tag -a churn@v2.0.0 -m many"
        )
        let seen = try await project.ml(
            "package", "churn", "--format", "artifact", "--to", "oci:../models:v2", "--json")
        let layers = try JSON.parse(seen.output)["layers"]?.array ?? []
        #expect(layers.count == 1)
        let digest = layers.first?["digest"]?.string?.dropFirst(7) ?? ""
        try await project.sh(
            "mkdir out && tar -xf models/blobs/sha256/\(digest) -C out && diff -r out work/models/m", in: "")
    }

    @Test func `any server is started by the command template, with what it serves in its environment`() async throws {
        try await makeModel("{template: command, command: [sh, -c, 'exec sh code/serve.sh'], files: [serve.sh]}")
        try project.write(
            "work/serve.sh", "echo \"$MODEL_NAME $MODEL_VERSION $PORT $(cat $MODEL_PATH/sub/labels.txt)\"\n")
        try await project.sh("git add . && git commit -qm serve && git tag -a churn@v1.1.0 -m serve")
        let seen = try await project.ml("package", "churn", "--to", "oci:../images:v1")
        #expect(seen.status == 0, "\(seen)")
        try await project.sh("umoci unpack --rootless --image images:v1 bundle 2>&1", in: "")
        let config = try JSON.parse(await project.sh("skopeo inspect --config oci:images:v1", in: ""))["config"]
        let words = ((config?["Entrypoint"]?.array ?? []) + (config?["Cmd"]?.array ?? [])).compactMap(\.string)
        #expect(words == ["/app/serve/entrypoint", "sh", "-c", "exec sh code/serve.sh"])
        let root = project.path.appending("bundle").appending("rootfs").string
        let result = try await project.sandbox.run(root + words[0], Array(words.dropFirst()))
        #expect(result.text == "churn v1.1.0 8080 a\nb\n", "\(result.errors)")
        let none = try await project.sandbox.run(root + words[0], [])
        #expect(none.status == 64 && none.errors.contains("package: command:"))

        // The team's own copy goes before ours, with all that lies beside it.
        try await project.sh(
            "git ml templates copy serving/command && echo x > templates/serving/command/more && git add . && git commit -qm own && git tag -a churn@v1.2.0 -m own && git ml package churn --to oci:../images:v2"
        )
        try await project.sh(
            "umoci unpack --rootless --image images:v2 own 2>&1 && test -f own/rootfs/app/serve/more", in: "")
        try await project.sh(
            "test ! -e own/rootfs/app/serve/README.md && test -x own/rootfs/app/serve/entrypoint", in: "")
    }

    @Test func `templates are listed, and copied without overwriting what is there`() async throws {
        try await project.sh("git init -q work && cd work && git ml init", in: "")
        let list = try await project.ml("templates")
        #expect(list.status == 0 && list.output.contains("serving/python") && list.output.contains("serving/command"))
        let json = try await project.ml("templates", "list", "--json").output.split(separator: "\n")
        #expect(try json.allSatisfy { try JSON.parse(String($0))["files"]?.array?.isEmpty == false })
        let copy = try await project.ml("templates", "copy", "serving/python", "server")
        #expect(copy.status == 0 && copy.output.split(separator: "\n").count == 4, "\(copy)")
        try await project.sh("git status --porcelain | grep -q '?? server/' && echo '# mine' >> server/server.py")
        let refused = try await project.ml("templates", "copy", "serving/python", "server")
        #expect(refused.status == 1 && refused.errors.contains("server/server.py would be overwritten"), "\(refused)")
        try await project.sh(
            "tail -1 server/server.py | grep -q mine && git ml templates copy serving/python server --force")
        try await project.sh("! grep -q '# mine' server/server.py")
        let none = try await project.ml("templates", "copy", "serving/pyton")
        #expect(none.status == 3 && none.errors.contains("did you mean serving/python?"), "\(none)")
    }

    // MARK: Independent readers

    @Test(.enabled(if: ChildProcess.find("buildah") != nil && getuid() == 0, "needs buildah, and root for its storage"))
    func `buildah takes the image and finds in it what was packed`() async throws {
        try await makeModel("{files: [serve.sh]}")
        try await project.sh(
            "echo x > serve.sh && git add . && git commit -qm serve && git tag -a churn@v1.1.0 -m serve")
        try await project.sh("git ml package churn --to oci:../images:v1")
        try await project.sh(
            """
            b="buildah --root $PWD/store --runroot $PWD/run --storage-driver vfs"
            c=$($b from oci:images:v1) && m=$($b mount $c)
            cmp $m/app/model/m/weights.onnx work/models/m/weights.onnx && cmp $m/app/code/serve.sh work/serve.sh
            $b inspect --format '{{.OCIv1.Config.Entrypoint}}' $c | grep -q /app/serve/server.py
            $b umount $c && $b rm $c
            """, in: "")
    }

    /// Whether podman starts a container here: in a container of its own, as in most CI, it often may not.
    private static let podmanRefusal: String? = {
        guard getuid() == 0, ChildProcess.find("podman") != nil, ChildProcess.find("runc") != nil else {
            return "needs podman, runc and root"
        }
        return Files.exists(Places.package.appending(".build/base/index.json"))
            ? nil : "`make test` makes the base image"
    }()

    @Test(.enabled(if: podmanRefusal == nil, "\(podmanRefusal ?? "")"), .timeLimit(.minutes(10)))
    func `podman runs the image with runc where the machine allows containers`() async throws {
        let base = Places.package.appending(".build").appending("base")
        try await makeModel(
            "{base: 'oci:\(base):python', template: command, command: [python3, -c, 'import os; print(open(os.environ[\"MODEL_PATH\"] + \"/sub/labels.txt\").read())']}"
        )
        let seen = try await project.ml("package", "churn", "--to", "oci:../images:v1")
        #expect(seen.status == 0, "\(seen)")
        // The bare base image tells whether this machine lets podman start a container at all.
        // podman makes a name of the path, which must not begin with a point.
        try await project.sh("ln -s \(base) plain", in: "")
        let plain = try await podman("oci:plain:python", "true")
        guard plain.status == 0 else { return print("no containers on this machine: \(plain.errors.suffix(300))") }
        let result = try await podman("oci:images:v1")
        #expect(result.status == 0 && result.text.hasPrefix("a\nb\n"), "\(result.errors)")
    }

    private func podman(_ image: String, _ words: String...) async throws -> ProcessResult {
        try await project.sandbox.run(
            "/bin/sh",
            [
                "-c",
                """
                r=$(mktemp -d /tmp/gm.XXXXXX); p="podman --root $r/store --runroot $r/run --storage-driver vfs --runtime runc --cgroup-manager cgroupfs --events-backend none"
                source=$1; shift
                image=$($p pull -q $source) || exit 1
                $p run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 $image "$@"; s=$?
                $p rmi -f $image > /dev/null 2>&1; rm -rf $r; exit $s
                """, "sh", image,
            ] + words)
    }
}
