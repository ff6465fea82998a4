internal import Base
internal import GitKit
internal import Models

extension KubernetesTarget {
    /// Refuses to touch what is there already and is not ours: another program's, or another model's.
    func requireOwn(_ manifest: Manifest) async throws {
        for object in try await kubectl.objects(manifest.objects.map(\.resource)) {
            let labels = object["metadata"]?["labels"]
            let notes = object["metadata"]?["annotations"]
            let what = "\(object["kind"]?.string ?? "object") \(object["metadata"]?["name"]?.string ?? "")"
            guard labels?[Manifest.label]?.string == name else {
                throw Refusal(
                    "\(what) is there already at \(description), without the label \(Manifest.label): \(name)",
                    code: "foreign", hints: ["delete or rename it, or deploy to another namespace"])
            }
            guard notes?["git-ml.dev/model"]?.string == "\(context.model)",
                notes?["git-ml.dev/stage"]?.string == context.stage
            else {
                throw Refusal("\(what) at \(description) belongs to another model or stage", code: "foreign")
            }
        }
    }

    func memory() async throws -> ReleaseMemory {
        let object = ReleaseMemory.object(name)
        guard let json = try await kubectl.objects(["configmap/\(object)"]).first else {
            return ReleaseMemory(name: name)
        }
        guard json["metadata"]?["labels"]?[Manifest.memoryLabel]?.string == name else {
            throw Refusal("the ConfigMap \(object) at \(description) is not git-ml's", code: "foreign")
        }
        return ReleaseMemory(json, name: name)
    }

    func remember(_ memory: ReleaseMemory) async throws {
        try await kubectl.apply("\(memory.json)\n", force: true)
    }

    /// Waits until what was applied runs; one deadline for all of it.
    func rollout(_ manifest: Manifest, within limit: Duration) async throws {
        let deployments = manifest.only("Deployment").objects.map(\.resource)
        if !deployments.isEmpty { return try await rollout(deployments, within: limit) }
        for object in manifest.only("InferenceService").objects {
            try await kubectl(
                "wait", "--for=condition=Ready", "--timeout=\(seconds(limit))s", object.resource)
        }
    }

    func rollout(_ resources: [String], within limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        for resource in resources {
            do {
                try await kubectl(
                    "rollout", "status", "--watch=true", "--timeout=\(seconds(deadline - .now))s", resource)
            } catch let failure as KubectlFailure {
                throw ProbeFailure(
                    "\(failure.reason.isEmpty ? "\(resource) is not up" : failure.reason)" + (await why()))
            }
        }
    }

    private func seconds(_ limit: Duration) -> Int { max(1, Int(limit.inSeconds.rounded(.up))) }

    /// What the pods say of themselves, where they are not ready.
    private func why() async -> String {
        let pods = (try? await kubectl.objects(["pods", "--selector=\(Manifest.label)=\(name)"])) ?? []
        let reasons = pods.flatMap { $0["status"]?["containerStatuses"]?.array ?? [] }.compactMap { status -> String? in
            let waiting = status["state"]?["waiting"] ?? status["lastState"]?["terminated"]
            guard let reason = waiting?["reason"]?.string else { return nil }
            return reason + (waiting?["message"]?.string.map { ": \($0.prefix(300))" } ?? "")
        }
        return reasons.isEmpty ? "" : " (" + Set(reasons).sorted().joined(separator: "; ") + ")"
    }

    /// Waits until the pods of before are gone: one that still ends would answer a probe as the old version.
    func onlyPods(of commit: ObjectID, within limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let pods = try await kubectl.objects([
                "pods", "--selector=\(Manifest.label)=\(name),git-ml.dev/track=stable",
            ])
            let others = pods.filter {
                $0["metadata"]?["annotations"]?["git-ml.dev/revision"]?.string ?? commit.hex != commit.hex
            }
            if others.isEmpty { return }
            guard ContinuousClock.now < deadline else {
                throw ProbeFailure("\(others.count) pod(s) of another version have not ended")
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Deletes our objects of this model and stage that a manifest does not name.
    func deleteOthers(than manifest: Manifest, besides memory: ReleaseMemory) async throws {
        let kept = Set(manifest.objects.map(\.resource))
        var kinds: Set<String> = ["deployment.apps", "service"]
        for entry in [memory.live, memory.previous, memory.candidate].compactMap({ $0 }) {
            for object in try Manifest(entry.text, name: name).objects {
                kinds.insert(String(object.resource.prefix { $0 != "/" }))
            }
        }
        let text = try await kubectl.run([
            "get", kinds.sorted().joined(separator: ","), "--selector=\(Manifest.label)=\(name)", "--output=name",
            "--request-timeout=30s",
        ])
        let others = text.split(separator: "\n").map(String.init).filter { !kept.contains($0) }
        guard !others.isEmpty else { return }
        try await kubectl.run(["delete", "--ignore-not-found", "--wait=false"] + others.sorted())
    }
}

extension JSON {
    /// The image of a workload's first container.
    var image: String? { self["spec"]?["template"]?["spec"]?["containers"]?.array?.first?["image"]?.string }
}
