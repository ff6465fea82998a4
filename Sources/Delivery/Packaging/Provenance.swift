internal import Base
internal import Images

/// Where an image comes from, as an in-toto statement with SLSA's provenance (version 1).
///
/// It holds what the image's labels must not: who made it and when, the tag, the run that made the model and its metrics.
struct Provenance {
    static let type = "application/vnd.in-toto+json"
    static let predicate = "https://slsa.dev/provenance/v1"
    private static let buildType = "https://git-ml.dev/package/v1"

    /// What the byproduct is called that stands for the bill of materials.
    static let billName = "bill-of-materials"

    let facts: PackageFacts
    let bill: Digest

    var json: JSON {
        [
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [["name": .string(facts.model), "digest": ["sha256": .string(facts.image.digest.hex)]]],
            "predicateType": .string(Self.predicate),
            "predicate": [
                "buildDefinition": [
                    "buildType": .string(Self.buildType), "externalParameters": external,
                    "internalParameters": internalParameters,
                    "resolvedDependencies": .array(materials),
                ],
                "runDetails": [
                    "builder": ["id": .string("git-ml://\(facts.builder)")],
                    "metadata": [
                        "invocationId": .string("\(UUIDv7())"), "startedOn": .string(facts.started.wholeSeconds),
                        "finishedOn": .string(Timestamp.now().wholeSeconds),
                    ],
                    "byproducts": .array((facts.run.map { [run($0)] } ?? []) + [billByproduct]),
                ],
            ],
        ]
    }

    private var internalParameters: JSON {
        let packer: JSON = ["packer": .int(Int64(LayerBuilder.revision))]
        guard let platform = facts.platform else { return packer }
        return .object((packer.members ?? []) + [.init("platform", .string("\(platform)"))])
    }

    private var external: JSON {
        let parameters: JSON = [
            "commit": .string(facts.commit), "model": .string(facts.model), "version": .string(facts.version),
        ]
        let more = [
            ("repository", facts.repository), ("source", facts.source), ("tag", facts.tag?.name),
            ("stage", facts.stage),
        ]
        return .object(
            (parameters.members ?? []) + more.compactMap { key, value in value.map { .init(key, .string($0)) } })
    }

    private var materials: [JSON] {
        var materials: [JSON] = [
            [
                "uri": .string(
                    "git+\(facts.source ?? "urn:git-ml:" + (facts.repository ?? "unnamed"))@\(facts.commit)"),
                "digest": ["gitCommit": .string(facts.commit)],
            ],
            ["name": .string(facts.path), "digest": ["sha256": .string(facts.content.hex)]],
        ]
        if let tag = facts.tag {
            var entry: [JSON.Member] = [
                .init("name", .string("refs/tags/\(tag.name)")), .init("digest", ["gitTag": .string(tag.id)]),
            ]
            if let by = tag.by { entry.append(.init("annotations", ["tagger": .string(by)])) }
            materials.append(.object(entry))
        }
        if let base = facts.base {
            let place = base.reference.isLocal ? "base" : "docker://\(base.reference)"
            materials.append(["uri": .string(place), "digest": ["sha256": .string(base.manifest.digest.hex)]])
        }
        return materials
    }

    private var billByproduct: JSON {
        [
            "name": .string(Self.billName), "mediaType": .string(BillOfMaterials.type),
            "digest": ["sha256": .string(bill.hex)],
        ]
    }

    private func run(_ run: PackageFacts.RunFacts) -> JSON {
        [
            "name": "run", "uri": .string("urn:git-ml:run:\(run.id)"),
            "annotations": ["run": .string(run.id), "metrics": .sorted(run.metrics.mapValues { .number($0) })],
        ]
    }
}
