import Base
import GitKit
import Images
import Models
import SystemPackage
import TestSupport
import Testing

@testable import Delivery

/// `deploy: {to: podman}`, as far as podman works on this machine.
struct PodmanTargetTests {
    private func context(_ sandbox: Sandbox) async throws -> DeployTargets.Context {
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        return DeployTargets.Context(
            model: try #require(ModelName("churn")), stage: "prod",
            places: Runner.Places(
                state: sandbox.path.appending("state"), templates: Places.package.appending("templates"),
                program: Places.programs.appending("git-ml")),
            repository: repository, policy: try #require(try repository.head()), say: { _ in })
    }

    private func deployment(_ number: Int, image: String, digest: Digest) throws -> Deployment {
        let values = try workloadValues("to: podman", digit: "\(number)")
        return Deployment(
            model: try #require(ModelName("churn")), stage: "prod", version: "v\(number).0.0",
            commit: try #require(ObjectID(values.revision)), tag: "churn#prod#\(number)", counter: number,
            image: try ImageReference(image), digest: digest, settings: values.settings)
    }

    @Test func `the manifest is the cluster's Deployment, on a port of this host`() async throws {
        let sandbox = try Sandbox()
        let digest = Digest.of("an image")
        let deployment = try deployment(1, image: "ghcr.io/acme/churn:v1", digest: digest)
        let target = PodmanTarget(settings: try #require(deployment.settings.deploy), try await context(sandbox))
        let text = try #require(try target.render(deployment).files.first).text
        let manifest = try Manifest(text, name: "churn-prod")
        #expect(manifest.objects.map(\.kind) == ["Deployment"])
        #expect(manifest.objects.first?.name == "churn-prod-v\(digest.hex.prefix(10))")
        #expect(text.contains("hostNetwork: true") && !text.contains("livenessProbe"))
        #expect((1024...65535).contains(try #require(manifest.objects.first?.port)))
        try Files.replace(sandbox.path.appending("m.yaml"), with: text.utf8)
        let result = try await sandbox.run(
            Places.python.appending("kubernetes-validate").string, ["--strict", "--quiet", "m.yaml"])
        #expect(result.status == 0, "\(result.text)\(result.errors)")
    }

    /// A podman that keeps its pods in files, and runs the server of each as a process: the target's steps, where the real one
    /// cannot run containers.
    private static let stub = #"""
        #!/usr/bin/env python3
        import json, os, re, signal, subprocess, sys, time
        home = os.environ["PODS"]; os.makedirs(home, exist_ok=True)
        words = sys.argv[1:]
        open(home + "/log", "a").write(" ".join(words) + "\n")
        def load(): return [json.load(open(f"{home}/{n}")) for n in sorted(os.listdir(home)) if n.endswith(".json")]
        def save(pod): json.dump(pod, open(f"{home}/{pod['Id']}.json", "w"))
        def start(pod):
            code = "import http.server as h,sys\nclass H(h.BaseHTTPRequestHandler):\n def do_GET(s):\n  s.send_response(200);s.send_header('X-Model-Revision',sys.argv[2]);s.send_header('Content-Length','0');s.end_headers()\n def log_message(s,*a): pass\nh.HTTPServer(('127.0.0.1',int(sys.argv[1])),H).serve_forever()"
            pod["Pid"] = subprocess.Popen([sys.executable, "-c", code, str(pod["Port"]), pod["Revision"]], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid
            save(pod)
        def stop(pod):
            try: os.kill(pod["Pid"], signal.SIGKILL)
            except OSError: pass
        def find(id): return next(pod for pod in load() if pod["Id"] == id)
        if words[:2] == ["kube", "play"]:
            text = open(words[-1]).read()
            def value(key): return re.search(key + r': "?([^"\s]+)', text).group(1)
            id = value("git-ml.dev/track")
            start({"Id": id, "Labels": {"git-ml.dev/deployment": value("git-ml.dev/deployment"), "git-ml.dev/track": id},
                   "Port": int(value("containerPort")), "Revision": value("git-ml.dev/revision")})
        elif words[:2] == ["pod", "ps"]: print(json.dumps(load()))
        elif words[0] == "ps":
            id = next(w for w in words if w.startswith("--filter=pod=")).split("=")[2]
            print(json.dumps([{"Id": "infra", "IsInfra": True}, {"Id": id, "IsInfra": False}]))
        elif words[0] == "inspect":
            print(json.dumps([{"State": {"Pid": find(words[-1])["Pid"]}, "HostConfig": {"LogConfig": {"Path": ""}}}]))
        elif words[:2] == ["pod", "start"]: start(find(words[-1]))
        elif words[:2] == ["pod", "stop"]: stop(find(words[-1]))
        elif words[:2] == ["pod", "rm"]: stop(find(words[-1])); os.remove(f"{home}/{words[-1]}.json")
        """#

    @Test func `versions take turns behind one address, and the one of before is started again`() async throws {
        let sandbox = try Sandbox()
        let context = try await context(sandbox)
        let pods = sandbox.path.appending("pods")
        try sandbox.directory.write("bin/podman", Self.stub, mode: 0o755)
        let path = "\(sandbox.path)/bin:\(environmentValue("PATH") ?? "/usr/bin")"
        let deployments = try (1...3).map { number in
            try deployment(number, image: "ghcr.io/acme/churn:v\(number)", digest: Digest.of("image \(number)"))
        }
        let settings = try #require(deployments[0].settings.deploy)
        func target() -> PodmanTarget {
            PodmanTarget(settings: settings, context, environment: ["PATH": path, "PODS": pods.string])
        }
        defer {
            for name in (try? Files.list(pods)) ?? [] where name.hasSuffix(".json") {
                if let id = try? JSON.parse(Files.readText(pods.appending(name)) ?? "")["Pid"]?.int {
                    kill(Int32(id), SIGKILL)
                }
            }
        }
        var addresses: Set<String> = []
        for deployment in deployments {
            let rendering = try target().render(deployment)
            for _ in 1...2 { try await target().deploy(deployment, rendering) }
            try await target().wait(deployment, within: .seconds(90))
            let probe = Probe(path: "/v2/health/ready", request: nil, revision: deployment.commit.hex)
            try await target().withAddress(of: .candidate, deployment) { address in
                try await probe.check(try #require(address))
            }
            addresses.insert(try await target().promote(deployment))
            try await target().withAddress(of: .live, deployment) { try await probe.check(try #require($0)) }
        }
        #expect(addresses.count == 1)
        #expect(try Files.list(pods).count { $0.hasSuffix(".json") } == 2)
        #expect(try target().live()?.version == "v3.0.0")
        for _ in 1...2 { #expect(try await target().rollBack(deployments[2])?.version == "v2.0.0") }
        #expect(try Files.list(pods).count { $0.hasSuffix(".json") } == 1)
        _ = try await target().local.stop()
    }
}
