import Base
import GitKit
import Images
import Models
import SystemPackage
import TestSupport
import Testing
import Transport

@testable import Delivery

/// Real kubectl against an API server that does server-side apply, watches, rollouts and port-forwards.
struct KubernetesTargetTests {
    private let sandbox: Sandbox
    private let server: KubeServer
    private let repository: Repository

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        repository = try Repository(sandbox.path.appending("work"))
        server = try await KubeServer(sandbox.path)
    }

    private func deployment(_ number: Int, _ deploy: String) throws -> Deployment {
        let values = try workloadValues(deploy, digit: "\(number)")
        return Deployment(
            model: try #require(ModelName("churn")), stage: "prod", version: "v\(number).0.0",
            commit: try #require(ObjectID(values.revision)), tag: "churn#prod#\(number)", counter: number,
            image: try ImageReference("ghcr.io/acme/churn:v\(number)"), digest: try #require(Digest(values.digest)),
            settings: values.settings)
    }

    private func target(_ deployment: Deployment) throws -> KubernetesTarget {
        let settings = try #require(deployment.settings.deploy)
        let places = Runner.Places(
            state: sandbox.path.appending("state"), templates: Places.package.appending("templates"),
            program: "/nowhere")
        return KubernetesTarget(
            settings: settings,
            DeployTargets.Context(
                model: deployment.model, stage: deployment.stage, places: places, repository: repository,
                policy: try #require(try repository.head()), say: { _ in }), environment: server.environment)
    }

    /// Everything up to the probe; each step twice, as after a runner that was killed.
    private func bring(_ deployment: Deployment) async throws {
        let target = try target(deployment)
        let rendering = try target.render(deployment)
        for _ in 1...2 { try await target.deploy(deployment, rendering) }
        for _ in 1...2 { try await target.wait(deployment, within: .seconds(90)) }
    }

    private func promote(_ deployment: Deployment) async throws -> String {
        _ = try await target(deployment).promote(deployment)
        return try await target(deployment).promote(deployment)
    }

    private func live(_ deployment: Deployment) async throws -> String? {
        try await target(deployment).live().map { "\($0.version) \($0.isRunning)" }
    }

    /// The commit that answers.
    private func answering(_ part: DeploymentPart, _ deployment: Deployment) async throws -> String? {
        try await target(deployment).withAddress(of: part, deployment) { address in
            let url = try #require(address).url
            let ready = try await HTTPClient.send("GET", "\(url)/v2/health/ready", timeout: .seconds(60))
            return ready.headers["x-model-revision"]
        }
    }

    private static let rolling = "to: kubernetes, namespace: ml, replicas: 2"
    private static let all = [
        "deployment.apps/churn-prod", "poddisruptionbudget.policy/churn-prod", "service/churn-prod",
    ]

    private func names() async throws -> [String] {
        try await server.kubectl(
            "-n", "ml", "get", "deployments,services,horizontalpodautoscalers,poddisruptionbudgets", "-o", "name"
        ).split(separator: "\n").map(String.init).sorted()
    }

    @Test func `a version rolls out, is probed through the Service, and a second one takes its place`() async throws {
        let (first, second) = (try deployment(1, Self.rolling), try deployment(2, Self.rolling))
        #expect(try await live(first) == nil)
        try await bring(first)
        #expect(try await answering(.candidate, first) == first.commit.hex)
        #expect(try await promote(first) == "http://churn-prod.ml.svc")
        #expect(try await live(first) == "v1.0.0 true")
        try await bring(second)
        #expect(try await answering(.candidate, second) == second.commit.hex)
        _ = try await promote(second)
        #expect(try await live(second) == "v2.0.0 true")
        #expect(try await answering(.live, second) == second.commit.hex)
        #expect(try await names() == Self.all)
        // What went in between comes back, and a second time changes nothing.
        for _ in 1...2 { _ = try await target(second).rollBack(second) }
        #expect(try await live(second) == "v1.0.0 true")
        #expect(try await answering(.live, first) == first.commit.hex)
    }

    @Test func `a version whose pods crash is told of with their reason, and the one before comes back`() async throws {
        let (first, second) = (try deployment(1, Self.rolling), try deployment(2, Self.rolling))
        try await bring(first)
        _ = try await promote(first)
        try server.misbehave(#"{"crash": ["\#(second.digest)"]}"#)
        let target = try target(second)
        try await target.deploy(second, try target.render(second))
        let failure = await #expect(throws: ProbeFailure.self) { try await target.wait(second, within: .seconds(60)) }
        #expect(
            failure?.description.contains("exceeded its progress deadline") == true, "\(failure?.description ?? "")")
        #expect(failure?.description.contains("CrashLoopBackOff: back-off restarting") == true)
        for _ in 1...2 { #expect(try await target.rollBack(second)?.version == "v1.0.0") }
        #expect(try await answering(.live, first) == first.commit.hex)
    }

    @Test func `a first version that fails leaves nothing behind but its memory`() async throws {
        let first = try deployment(1, Self.rolling)
        try await bring(first)
        #expect(try await target(first).rollBack(first) == nil)
        #expect(try await names() == [])
    }

    @Test func `a canary answers beside the others, and goes when all are of its version`() async throws {
        let canary = Self.rolling + ", strategy: canary"
        let (first, second) = (try deployment(1, canary), try deployment(2, canary))
        try await bring(first)
        _ = try await promote(first)
        try await bring(second)
        #expect(try await names() == (Self.all + ["deployment.apps/churn-prod-canary"]).sorted())
        #expect(try await answering(.candidate, second) == second.commit.hex)
        #expect(try await live(second) == "v1.0.0 true")
        _ = try await target(second).rollBack(second)
        #expect(try await names() == Self.all)
        try await bring(second)
        _ = try await promote(second)
        #expect(try await names() == Self.all)
        #expect(try await live(second) == "v2.0.0 true")
    }

    @Test func `blue and green: the Service turns at the promotion, and back`() async throws {
        let settings = Self.rolling + ", strategy: blue-green, max_replicas: 4"
        let (first, second) = (try deployment(1, settings), try deployment(2, settings))
        try await bring(first)
        _ = try await promote(first)
        try await bring(second)
        #expect(try await names().count { $0.hasPrefix("deployment") } == 2)
        #expect(try await answering(.candidate, second) == second.commit.hex)
        #expect(try await answering(.live, second) == first.commit.hex)
        _ = try await promote(second)
        #expect(try await answering(.live, second) == second.commit.hex)
        #expect(try await names().filter { $0.hasPrefix("deployment") } == ["deployment.apps/churn-prod-v2222222222"])
        #expect(try await target(second).rollBack(second)?.version == "v1.0.0")
        #expect(try await answering(.live, second) == first.commit.hex)
    }

    @Test func `objects that are not ours are neither changed nor deleted`() async throws {
        let first = try deployment(1, Self.rolling)
        let foreign = """
            apiVersion: v1
            kind: Service
            metadata: {name: churn-prod, namespace: ml, labels: {app: shop}}
            spec: {selector: {app: shop}, ports: [{port: 80}]}
            """
        try await server.kubectl("apply", "--server-side", "-f", "-", input: foreign)
        let before = try server.changes()
        let target = try target(first)
        let refusal = await #expect(throws: Refusal.self) {
            try await target.deploy(first, try target.render(first))
        }
        #expect(refusal?.description.contains("Service churn-prod is there already") == true)
        _ = try await target.rollBack(first)
        #expect(try server.changes() == before)
        #expect(try await names() == ["service/churn-prod"])
    }

    @Test func `fields that another program has taken over are not torn from it, except by a rollback`() async throws {
        let (first, second) = (try deployment(1, Self.rolling), try deployment(2, Self.rolling))
        try await bring(first)
        _ = try await promote(first)
        let scaled = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: churn-prod, namespace: ml}
            spec: {replicas: 5}
            """
        try await server.kubectl(
            "apply", "--server-side", "--force-conflicts", "--field-manager=keda", "-f", "-", input: scaled)
        let target = try target(second)
        let failure = await #expect(throws: KubectlFailure.self) {
            try await target.deploy(second, try target.render(second))
        }
        #expect(failure?.description.contains("keda") == true, "\(failure?.description ?? "")")
        #expect(failure?.hints.isEmpty == false)
        #expect(try await target.rollBack(second)?.version == "v1.0.0")
    }
}
