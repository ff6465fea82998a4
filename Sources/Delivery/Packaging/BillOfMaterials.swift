internal import Base
internal import Images

/// What is in an image, as CycloneDX 1.6 has it: the model, the Python packages, and the base by its digest.
///
/// What the base itself is made of stands in the base's own bill, if it has one.
struct BillOfMaterials {
    static let type = "application/vnd.cyclonedx+json"

    let facts: PackageFacts

    var json: JSON {
        let model = facts.model
        var components: [JSON] = [
            [
                "type": "machine-learning-model", "bom-ref": .string("model:\(model)"), "name": .string(model),
                "version": .string(facts.version),
                "hashes": [["alg": "SHA-256", "content": .string(facts.content.hex)]],
            ]
        ]
        components += facts.packages.map { name, version in
            let url = "pkg:pypi/\(Self.normal(name))@\(version)"
            return [
                "type": "library", "bom-ref": .string(url), "name": .string(name), "version": .string(version),
                "purl": .string(url),
            ]
        }
        if let base = facts.base {
            components.append([
                "type": "container", "bom-ref": .string("base:\(base.manifest.digest)"),
                "name": .string(base.reference.isLocal ? "base" : "\(base.reference)"),
                "version": .string("\(base.manifest.digest)"),
                "hashes": [["alg": "SHA-256", "content": .string(base.manifest.digest.hex)]],
            ])
        }
        return [
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": [
                "timestamp": .string(facts.created.wholeSeconds),
                "tools": ["components": [["type": "application", "name": "git-ml"]]],
                "component": [
                    "type": facts.platform == nil ? "machine-learning-model" : "container", "bom-ref": "image",
                    "name": .string(model), "version": .string(facts.version),
                    "hashes": [["alg": "SHA-256", "content": .string(facts.image.digest.hex)]],
                ],
            ],
            "components": .array(components),
            "dependencies": [
                ["ref": "image", "dependsOn": .array(components.compactMap { $0["bom-ref"] })]
            ],
        ]
    }

    /// A project's name in the form of package URLs.
    private static func normal(_ name: String) -> String {
        name.lowercased().split { "-_.".contains($0) }.joined(separator: "-")
    }
}
