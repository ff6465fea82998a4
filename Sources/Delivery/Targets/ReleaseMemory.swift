internal import Base

/// What was applied last, and before that, for one model's stage: kept in the cluster, as a ConfigMap with our label, so that
/// whichever runner goes on can put the previous manifest back.
///
/// git has the same in its events, and the templates; the bytes that really were applied are better than what a template of
/// today would make of an image of yesterday.
struct ReleaseMemory: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        /// The stage tag: the name of the deployment.
        let tag: String
        let text: String
    }

    let name: String
    var live: Entry?
    var previous: Entry?
    var candidate: Entry?

    static func object(_ name: String) -> String { "\(name)-git-ml" }

    init(name: String) { self.name = name }

    /// Reads the ConfigMap.
    init(_ json: JSON, name: String) {
        self.name = name
        let data = json["data"]?.texts ?? [:]
        func entry(_ key: String) -> Entry? {
            guard let tag = data["\(key).tag"], let text = data["\(key).yaml"] else { return nil }
            return Entry(tag: tag, text: text)
        }
        (live, previous, candidate) = (entry("live"), entry("previous"), entry("candidate"))
    }

    /// The ConfigMap, for an apply.
    var json: JSON {
        var data: [String: String] = [:]
        for (key, entry) in [("live", live), ("previous", previous), ("candidate", candidate)] {
            data["\(key).tag"] = entry?.tag
            data["\(key).yaml"] = entry?.text
        }
        return [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": [
                "name": .string(Self.object(name)),
                "labels": [
                    "app.kubernetes.io/managed-by": "git-ml", Manifest.memoryLabel: .string(name),
                ],
            ], "data": .sorted(data),
        ]
    }

    /// The candidate is live now.
    mutating func promote() {
        guard let candidate else { return }
        if live?.tag != candidate.tag { previous = live }
        (live, self.candidate) = (candidate, nil)
    }
}

extension Manifest {
    /// The label of ``ReleaseMemory``: not that of the objects that serve, which come and go.
    static let memoryLabel = "git-ml.dev/memory-of"
}
