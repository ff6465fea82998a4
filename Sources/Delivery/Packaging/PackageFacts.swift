internal import Base
internal import GitKit
internal import Images
internal import Models
internal import Runs
internal import SystemPackage
internal import Transport

/// What is known of a package besides its bytes.
struct PackageFacts: Sendable {
    struct RunFacts: Sendable {
        let id: String
        let metrics: [String: Double]
    }

    struct TagFacts: Sendable {
        let name: String
        let id: String
        /// Who made it, as the tag says.
        let by: String?
    }

    let image: Descriptor
    let platform: Platform
    let model: String
    let version: String
    /// Where the model lies in the repository.
    let path: String
    let content: Digest
    let commit: String
    let created: Timestamp
    let started: Timestamp
    let base: BaseImage?
    let packages: [(name: String, version: String)]
    /// The id in ml.yaml.
    let repository: String?
    let source: String?
    let tag: TagFacts?
    let stage: String?
    let run: RunFacts?
    /// The machine.
    let builder: String
}

extension ModelPackage {
    /// What is to stand beside an image: its bill of materials, and where it comes from.
    func attachments(
        _ image: Descriptor, _ base: BaseImage?, _ content: Digest, _ installed: Dependencies.Installed?,
        started: Timestamp, _ platform: Platform
    ) throws -> [Attachment] {
        let project = try Project.at(commit, in: repository)
        let tag = try choices.tag.flatMap { name in try repository.tags().first { $0.name == name } }
        let run = try? RunStore(repository).run(behind: commit, path: settings.path)?.seen(by: "\(model.name)")
        let facts = PackageFacts(
            image: image, platform: platform, model: "\(model.name)", version: version, path: settings.path,
            content: content, commit: commit.hex, created: try repository.commit(commit).committer.time,
            started: started, base: base, packages: try installed?.packages() ?? [],
            repository: project?.repositoryID, source: try settings.package.source ?? originAddress(),
            tag: tag.map {
                .init(name: $0.name, id: $0.id.hex, by: $0.object?.tagger.map { "\($0.name) <\($0.email)>" })
            },
            stage: tag.flatMap { ModelTag($0.name) }.flatMap { tag in
                if case .assign(let stage) = tag.action { stage } else { nil }
            },
            run: run.map { .init(id: $0.id, metrics: $0.values) }, builder: MachineInfo.host() ?? "localhost")
        return [
            Attachment(
                type: BillOfMaterials.type, bytes: Array(BillOfMaterials(facts: facts).json.canonical.utf8),
                annotations: ["org.opencontainers.image.created": facts.created.wholeSeconds]),
            Attachment(
                type: Provenance.type, bytes: Array(Provenance(facts: facts).json.canonical.utf8),
                annotations: ["in-toto.io/predicate-type": Provenance.predicate]),
        ]
    }

    /// Where the repository was cloned from, without a login.
    private func originAddress() throws -> String? {
        try repository.setting("remote.origin.url").flatMap { url in
            url.contains("://") && !url.hasPrefix("file:") ? NetworkAddress.withoutSecrets(url) : nil
        }
    }
}
