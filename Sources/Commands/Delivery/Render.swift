internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Images
internal import Models

struct Render: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the manifests that serve what is staged",
        discussion: """
            Fills in the templates of deploy: on the protected branch with the image, by its digest. The runner applies the
            same bytes; here they are printed for Argo CD, Flux or a look. With --gitops they are committed there, as one file
            a model and stage; a remote gets them pushed.

              $ git ml render churn#prod
              $ git ml render churn#prod --gitops ../gitops/apps/churn
              $ git ml render churn#prod --gitops https://git.example.com/ops/gitops.git//apps/churn
              $ git ml render churn#prod --as systemd > /etc/systemd/system/churn-prod.service
              $ git ml render churn#prod --image ghcr.io/acme/churn@sha256:4ae7…

            Templates are Mustache files: templates/deploy/NAME of the protected branch, else those that came with git-ml
            (kubernetes, kserve). The image is the one that was delivered, else it is packaged, which is the same.

            Exit statuses: 1 a template cannot be used, 3 nothing is staged there, 4 the remote took no push.
            """)

    @Argument(help: "NAME#STAGE")
    var model: String

    @Option(help: "A folder of a clone, or URL//FOLDER, to commit the manifests to.")
    var gitops: String?

    @Option(help: "The image, by its digest.")
    var image: String?

    enum Form: String, ExpressibleByArgument, CaseIterable { case kubernetes, systemd, quadlet }

    @Option(name: .customLong("as"), help: "What is written: manifests, or a unit file for one host with podman.")
    var form = Form.kubernetes

    func validate() throws {
        if form != .kubernetes, gitops != nil { throw ValidationError("--gitops takes manifests, not unit files") }
    }

    @OptionGroup var options: RunnerOptions
    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try options.repository()
        let places = try options.places(repository)
        let address = try ModelAddress(model)
        guard case .stage(let stage) = address.selector else {
            throw ValidationError("name a stage: \(address.model)#prod")
        }
        guard let policy = try Policy.protected(repository) else {
            throw RenderFailure.noPolicy
        }
        let registry = try Registry(repository, allowLight: policy.project.allowsLightTags)
        let found = try address.resolve(in: registry, declared: policy.project.models.keys)
        guard let settings = policy.project.stage(stage, of: address.model),
            let model = policy.project.models[address.model], let assignment = found.assignment
        else { throw RenderFailure.notInPolicy(model: "\(address.model)", stage: stage) }
        let reference = try await reference(repository, places, policy, found, model, assignment)
        let values = WorkloadValues(
            model: "\(address.model)", stage: stage, version: found.version.map { "\($0.version)" } ?? found.commit.hex,
            revision: found.commit.hex, tag: assignment.tag, image: reference.image,
            digest: "\(reference.digest)", settings: settings)
        if form != .kubernetes {
            let unit = try UnitFile(
                form == .systemd ? .service : .quadlet, values, in: repository, at: policy.commit,
                templates: places.templates)
            return print(unit.text, terminator: "")
        }
        let template = try DeployTemplate(
            named: settings.deploy?.workload.template ?? WorkloadSettings().template, in: repository,
            at: policy.commit, templates: places.templates)
        let manifest = try template.manifest(values)
        guard let gitops else { return show(manifest) }
        let outcome = try await GitOps(gitops).commit(
            manifest, message: "\(assignment.tag): \(values.version)\n\n\(values.image)\ncommit \(found.commit.hex)")
        show(outcome)
    }

    private func show(_ manifest: Manifest) {
        if json.isOn {
            for object in manifest.objects { print(object.line) }
        } else {
            print(manifest.text, terminator: "")
        }
    }

    private func show(_ outcome: GitOps.Outcome) {
        if json.isOn {
            let line: JSON = [
                "file": .string(outcome.file), "commit": .optional(outcome.commit), "pushed": .bool(outcome.isPushed),
            ]
            return print(line)
        }
        guard let commit = outcome.commit else { return print("\(outcome.file) says the same already") }
        print("committed \(outcome.file) as \(commit.prefix(7))" + (outcome.isPushed ? " and pushed it" : ""))
    }

    /// The image by its digest: as told, as delivered, or as it is packaged.
    private func reference(
        _ repository: Repository, _ places: Runner.Places, _ policy: Policy, _ found: ResolvedModel,
        _ model: ModelSettings, _ assignment: Assignment
    ) async throws -> (image: String, digest: Digest) {
        if let image {
            let reference = try ImageReference(image)
            guard let digest = reference.digest, let pinned = reference.pinned(to: digest) else {
                throw ValidationError("--image is HOST/NAME@sha256:…")
            }
            return (pinned, digest)
        }
        let packaging = ModelPackage(
            repository: repository, places: places, model: found.entry, settings: model, commit: found.commit)
        let delivered = try DeliveryLog(repository).deliveries(of: found.commit).last {
            $0.tag == assignment.tagID.hex && $0.status == "succeeded"
        }
        let destination = try packaging.destination(policy.project.registry)
        guard !destination.isLocal else { throw RenderFailure.noRegistry }
        let known = delivered?.digest.flatMap { Digest($0) }
        let digest = try await known == nil ? packaging.build { _ in }.image.manifest.digest : known
        guard let digest, let pinned = destination.pinned(to: digest) else { throw RenderFailure.noRegistry }
        return (pinned, digest)
    }
}

/// Why there is nothing to render.
enum RenderFailure: Failure {
    case noPolicy
    case noRegistry
    case notInPolicy(model: String, stage: String)

    var kind: FailureKind { if case .noRegistry = self { .user } else { .notFound } }
    var description: String {
        switch self {
        case .noRegistry: "a cluster cannot get an image that is on this machine only"
        case .noPolicy: "the protected branch has no \(Project.fileName)"
        case .notInPolicy(let model, let stage):
            "\(Project.fileName) on the protected branch does not name \(model) with the stage “\(stage)”"
        }
    }
    var hints: [String] {
        if case .noRegistry = self { return ["name a registry in ml.yaml: `registry: ghcr.io/acme`, or say --image"] }
        return ["commit \(Project.fileName) to the protected branch, then fetch"]
    }
}
