import Base
import Models
import SystemPackage
import TestSupport
import Testing

@testable import Delivery

/// Values as a delivery makes them, for tests.
func workloadValues(
    _ deploy: String = "to: kubernetes", model: String = "churn", stage: String = "prod", digit: String = "a"
) throws -> WorkloadValues {
    let project = try Project(
        "models: {\(model): {path: m}}\nstages: {\(stage): {deploy: {\(deploy)}, probe: {within: 90s}}}")
    let digest = "sha256:" + String(repeating: digit, count: 64)
    return WorkloadValues(
        model: model, stage: stage, version: "v1.2.0", revision: String(repeating: digit, count: 40),
        tag: "\(model)#\(stage)#1", image: "ghcr.io/acme/churn@\(digest)", digest: digest,
        settings: try #require(project.stages[stage]))
}

/// The template that came with the program.
func deployTemplate(_ name: String = "kubernetes") throws -> DeployTemplate {
    let folder = Places.package.appending("templates").appending("deploy").appending(FilePath(name).components)
    var texts: [String: String] = [:]
    for file in try Files.list(folder) { texts[file] = try Files.readText(folder.appending(file)) }
    return try DeployTemplate(texts)
}

struct ManifestTests {
    private static let everything = """
        to: kubernetes, namespace: ml, replicas: 3, max_replicas: 9, cpu: 500m, memory: 1.5Gi, gpu: 1, port: 8000,
        env: {LEVEL: "in \\"quotes\\": yes", B: "1"}, secret: churn-secret, pull_secret: ghcr, service_account: models,
        node_selector: {disk: ssd}, annotations: {"example.com/owner": "ann & bob"}
        """

    @Test func `the same values give the same bytes, with the image by its digest alone`() throws {
        let values = try workloadValues(Self.everything)
        let manifest = try deployTemplate().manifest(values)
        #expect(try deployTemplate().manifest(values).text == manifest.text)
        #expect(
            manifest.objects.map(\.resource) == [
                "deployment.apps/churn-prod", "horizontalpodautoscaler.autoscaling/churn-prod",
                "poddisruptionbudget.policy/churn-prod", "service/churn-prod",
            ])
        #expect(manifest.text.contains("image: \"ghcr.io/acme/churn@sha256:aaaa"))
        #expect(try Manifest(manifest.text, name: "churn-prod").text == manifest.text)
    }

    @Test func `an autoscaler takes the replicas out of the Deployment`() throws {
        let scaled = try deployTemplate().manifest(workloadValues(Self.everything)).only("Deployment")
        #expect(scaled.objects.first?.json["spec"]?["replicas"] == nil)
        let plain = try deployTemplate().manifest(workloadValues("to: kubernetes, replicas: 2"))
        #expect(plain.objects.first?.json["spec"]?["replicas"] == 2)
        #expect(plain.only("HorizontalPodAutoscaler").objects.isEmpty)
    }

    @Test func `values cannot leave their place in a template`() throws {
        let hostile = "x\" , y: &a {} \\ \t # {{image}} 'z'"
        let template = try DeployTemplate([
            "a.yaml": """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: "n", labels: {git-ml.dev/deployment: "n"}}
            data: {value: "{{value}}"}
            """
        ])
        let manifest = try template.render(["value": hostile + "\nkind: Secret"], name: "n")
        #expect(manifest.objects.count == 1)
        #expect(manifest.objects.first?.json["data"]?["value"]?.string == hostile + "\nkind: Secret")
    }

    @Test(arguments: [
        ("a: [", "not YAML"), ("a: 1", "it is no object"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}", "Secret x lacks the label git-ml.dev/deployment: n"),
        ("# nothing", "no object came out"), ("{{#open}}", "not a Mustache template"),
    ])
    func `a template that gives no object of ours is refused`(text: String, reason: String) throws {
        let failure = #expect(throws: (any Error).self) { try DeployTemplate(["a.yaml": text]).render([:], name: "n") }
        #expect("\(try #require(failure))".contains(reason))
    }

    @Test func `names are valid in Kubernetes and never shared`() {
        let pairs = [
            ("churn", "prod"), ("churn-prod", "x"), ("churn", "prod-x"), ("team:churn", "prod"), ("Churn", "prod"),
            ("team/churn", "prod"), ("1st", "prod"), (String(repeating: "long", count: 30), "prod"), ("a_b", "c"),
            ("a", "b-c"), ("a-b", "c"),
        ]
        let names = pairs.map { WorkloadName.of($0.0, $0.1) }
        #expect(names[0] == "churn-prod")
        #expect(Set(names).count == pairs.count)
        for name in names {
            #expect(name.wholeMatch(of: /[a-z]([a-z0-9-]*[a-z0-9])?/) != nil, "\(name)")
            #expect(name.utf8.count <= 46)
        }
    }

    @Test func `a canary gets its share of the pods, at least one`() throws {
        func pods(_ replicas: Int, _ share: Int) throws -> Int64 {
            try workloadValues("to: kubernetes, replicas: \(replicas), canary: \(share)").workload.canaryReplicas
        }
        #expect(try [pods(1, 25), pods(3, 25), pods(9, 10), pods(10, 50)] == [1, 1, 1, 10])
    }

    @Test(arguments: ["kubernetes", "kserve"])
    func `manifests pass the schemas of Kubernetes strictly`(name: String) async throws {
        let sandbox = try Sandbox()
        let template = try deployTemplate(name)
        let settings = [
            Self.everything, "to: kubernetes", "to: kubernetes, strategy: blue-green",
            "to: kubernetes, strategy: canary",
        ]
        for (number, deploy) in settings.enumerated() {
            let values = try workloadValues(deploy)
            var text = try template.manifest(values).text
            if values.workload.strategy == .canary, name == "kubernetes" {
                text += "---\n" + (try template.canary(values).text)
            }
            try Files.replace(sandbox.path.appending("\(number).yaml"), with: text.utf8)
        }
        // Its schemas do not hold what KServe adds: there it checks that each document is YAML.
        let result = try await sandbox.run(
            Places.python.appending("kubernetes-validate").string,
            ["--strict", "--quiet"] + settings.indices.map { "\($0).yaml" })
        if name == "kubernetes" { #expect(result.status == 0, "\(result.text)\(result.errors)") }
        let kinds = try deployTemplate(name).manifest(workloadValues(Self.everything)).objects.map(\.kind)
        #expect(name == "kubernetes" ? kinds.count == 4 : kinds == ["InferenceService"])
    }
}
