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
    /// Nil for a bare model.
    let platform: Platform?
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
    /// What is to stand beside an image: its bill of materials, where it comes from, and the latter signed.
    func attachments(
        _ image: Descriptor, _ base: BaseImage?, _ content: Digest, _ installed: Dependencies.Installed?,
        started: Timestamp, _ platform: Platform?
    ) -> Attachments {
        Attachments(attachedTypes) { lacking in
            let facts = try facts(image, base, content, installed, started: started, platform)
            let bill = Array(BillOfMaterials(facts: facts).json.canonical.utf8)
            let provenance = Array(Provenance(facts: facts, bill: .of(bill)).json.canonical.utf8)
            let named = ["in-toto.io/predicate-type": Provenance.predicate]
            var made = [
                Attachment(
                    type: BillOfMaterials.type, bytes: bill,
                    annotations: ["org.opencontainers.image.created": facts.created.wholeSeconds]),
                Attachment(type: Provenance.type, bytes: provenance, annotations: named),
            ]
            if signs {
                let envelope = try await signed(provenance)
                made.append(
                    Attachment(
                        type: SignedEnvelope.type, bytes: Array(envelope.json.canonical.utf8), annotations: named))
            }
            return made.filter { lacking.contains($0.type) }
        }
    }

    /// The kinds of documents that are to stand beside it.
    var attachedTypes: [String] {
        choices.attests ? [BillOfMaterials.type, Provenance.type] + (signs ? [SignedEnvelope.type] : []) : []
    }

    /// Whether its provenance is signed with one of the keys that git knows.
    private var signs: Bool { settings.package.sign.map { $0.program != .cosign } ?? false }

    private func signed(_ provenance: [UInt8]) async throws -> SignedEnvelope {
        // With a line feed, since git parts a text from its signature at the beginning of a line.
        let envelope = SignedEnvelope(provenance + [UInt8(ascii: "\n")], type: Provenance.type)
        guard let sign = settings.package.sign else { return envelope }
        let signature = try await GitSigning(repository).sign(envelope.signedBytes, sign.program, key: sign.key)
        return envelope.adding(signature: Array(signature.utf8))
    }

    private func facts(
        _ image: Descriptor, _ base: BaseImage?, _ content: Digest, _ installed: Dependencies.Installed?,
        started: Timestamp, _ platform: Platform?
    ) throws -> PackageFacts {
        let project = try Project.at(commit, in: repository)
        let tag = try choices.tag.flatMap { name in try repository.tags().first { $0.name == name } }
        let run = try? RunStore(repository).run(behind: commit, path: settings.path)?.seen(by: "\(model.name)")
        return PackageFacts(
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
    }

    /// Where the repository was cloned from, without a login.
    private func originAddress() throws -> String? {
        try repository.setting("remote.origin.url").flatMap { url in
            url.contains("://") && !url.hasPrefix("file:") ? NetworkAddress.withoutSecrets(url) : nil
        }
    }
}
