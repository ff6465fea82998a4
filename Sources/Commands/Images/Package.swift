internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Images
internal import Models
internal import Synchronization

struct Package: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Package a model as an OCI image, without Docker",
        discussion: """
            The same commit gives the same image, byte for byte: base, Python packages, code, and the model as a layer of its
            own. What a place has already is not sent again; a tag is written last.

              $ git ml package churn@v1.2.0 --to ghcr.io/acme/churn
              $ git ml package 'churn#prod' --to localhost:5000/acme/churn:prod --to oci:/tmp/images
              $ git ml package churn --to docker-archive:churn.tar && docker load -i churn.tar
              $ git ml package churn --format artifact --to ghcr.io/acme/churn-model    the bare model, for image volumes
              $ git ml package churn --update-base --dry-run    look what the base's tag means today, and pin it in ml.lock

            Where --to leaves the tag open, it is the version: v1.2.0; of an artifact v1.2.0__model.

            A base in ml.yaml (`package: base: docker.io/library/python:3.12-slim`) is any image of a registry, an OCI layout
            (oci:DIR:TAG), or an archive. Logins are those of docker, podman and skopeo. Plain HTTP is spoken with this machine
            only, and with hosts in `git config ml.insecureRegistries`.

            Exit statuses: 1 something in the package cannot be used, 3 no such model or image, 4 a registry failed,
            5 content does not match its digest.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case image, artifact }
    enum Form: String, ExpressibleByArgument, CaseIterable { case gzip, tar }

    @Argument(help: "NAME, NAME@VERSION, NAME#STAGE or models:/NAME/N; a name alone means its latest version.")
    var model: String

    @Option(
        help: """
            Where the image goes: HOST/NAME[:TAG], oci:DIR[:TAG], docker-archive:FILE or oci-archive:FILE; default: below \
            registry: of ml.yaml.
            """)
    var to: [String] = []

    @Option(help: "What is made: image (it serves the model) or artifact (the model alone, as a CNCF ModelPack).")
    var format = Format.image

    @Option(help: "The platform to package for, such as linux/arm64; default: linux on this processor.")
    var platform: String?

    @Option(help: "How layers are stored: gzip (every reader takes it) or tar (less to hash).")
    var layer = Form.gzip

    @Flag(help: "Look up anew what the base's tag means, and pin it in ml.lock.")
    var updateBase = false

    @Flag(
        inversion: .prefixedNo,
        help: "Put a bill of materials (CycloneDX) and provenance (in-toto, SLSA) beside the image.")
    var attest = true

    @Flag(help: "Show what the image would be, and what would have to be sent.")
    var dryRun = false

    @OptionGroup var options: RunnerOptions
    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try options.repository()
        let found = try PackagedModel(model, in: repository)
        let bar = ProgressBar("hashing")
        defer { bar.finish() }
        let packaging = ModelPackage(
            repository: repository, places: try options.places(repository), model: found.entry,
            settings: found.settings,
            commit: found.commit, choices: try choices(repository, found, bar))
        let references =
            try to.isEmpty
            ? [packaging.destination(found.project.registry)]
            : to.map { try packaging.completed(ImageReference($0).below(Installation.currentFolder)) }
        if !dryRun, let known = try await packaging.known(at: references) {
            for reference in references { show(known, reference, []) }
            return
        }
        let package = try await packaging.build { if !json.isOn { Terminal.error($0) } }
        bar.finish()
        for reference in references {
            let moved =
                try await dryRun ? packaging.lacking(package, at: reference) : push(packaging, package, reference)
            show(PackageSummary(package.image), reference, moved)
        }
    }

    private func push(
        _ packaging: ModelPackage, _ package: BuiltPackage, _ reference: ImageReference
    ) async throws -> Set<Digest> {
        let bar = ProgressBar(reference.isLocal ? "writing" : "pushing")
        defer { bar.finish() }
        let total = Mutex<Int64>(0)
        var report = TransferReport()
        report.total = { bytes in total.withLock { $0 += bytes } }
        report.moved = { bytes in bar.advance(by: bytes, of: total.withLock { $0 }) }
        return try await packaging.push(package, to: reference, report)
    }

    private func choices(
        _ repository: Repository, _ found: PackagedModel, _ bar: ProgressBar
    ) throws -> ModelPackage.Choices {
        var choices = found.choices(repository)
        choices.platform = try platform.map { try Platform($0) }
        choices.form = layer == .tar ? .tar : .gzip
        choices.format = format == .artifact ? .artifact : .image
        choices.attests = attest
        choices.base = updateBase ? .renewed : dryRun ? .looked : repository.workTree == nil ? .required : .written
        choices.hashed = { bar.advance(by: $0) }
        return choices
    }

    private func show(_ image: PackageSummary, _ reference: ImageReference, _ moved: Set<Digest>) {
        if json.isOn {
            let layers = image.layers.map { layer -> JSON in
                [
                    "kind": .string(layer.kind.rawValue), "digest": .string("\(layer.descriptor.digest)"),
                    "size": .int(layer.descriptor.size), "pushed": .bool(moved.contains(layer.descriptor.digest)),
                ]
            }
            print(
                [
                    "reference": .string("\(reference)"), "digest": .string("\(image.manifest.digest)"),
                    "platform": .optional(image.platform), "size": .int(image.size),
                    "layers": .array(layers),
                ] as JSON)
            return
        }
        let bytes = image.layers.filter { moved.contains($0.descriptor.digest) }.reduce(0) { $0 + $1.descriptor.size }
        let verb = reference.isLocal ? "wrote" : "pushed"
        let sent = moved.isEmpty ? "all of it was there" : "\(ByteCount.format(bytes)) of layers moved"
        print(
            dryRun
                ? "would \(reference.isLocal ? "write" : "push") \(reference): \(ByteCount.format(bytes)) of layers"
                : "\(verb) \(reference) (\(ByteCount.format(image.size)); \(sent))")
        print("\(image.manifest.digest)")
    }
}
