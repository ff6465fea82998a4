internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Images
internal import Models
internal import Pointers
internal import Storage

struct Package: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Package a model as an OCI image, without Docker",
        discussion: """
            The same commit gives the same image, byte for byte.

              $ git ml package churn --to oci:/tmp/images
              $ git ml package churn@v1.2.0 --to localhost:5000/acme/churn:v1.2.0
              $ git ml package 'churn#prod' --to ghcr.io/acme/churn:prod
            """)

    @Argument(help: "NAME, NAME@VERSION, NAME#STAGE or models:/NAME/N; a name alone means its latest version.")
    var model: String

    @Option(help: "Where the image goes: oci:DIR[:TAG] or HOST/NAME[:TAG].")
    var to: String

    @OptionGroup var options: RunnerOptions
    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try options.repository()
        // What to package is told by the project as it is now; what goes in comes from the commit alone.
        let project =
            try repository.workTree == nil
            ? repository.head().flatMap { try Project.at($0, in: repository) } ?? Project()
            : Project.inWorkTree(of: repository)
        let address = try ModelAddress(model)
        let (name, settings) = try project.model("\(address.model)")
        let registry = try Registry(repository, allowLight: project.allowsLightTags)
        let entry = registry.models[name]
        // A model without a version is packaged as it is now.
        let commit =
            address.isBare && entry?.latest == nil
            ? try repository.resolve("HEAD") : try address.resolve(in: registry, declared: project.models.keys).commit
        guard try repository.entry(settings.path, in: commit) != nil else {
            throw ModelFailure.noFile(path: settings.path, commit: commit.short)
        }
        let packaging = ModelPackage(
            repository: repository, places: try options.places(repository), model: entry ?? ModelEntry(name: name),
            settings: settings, commit: commit)
        var destination = try ImageReference(to)
        if destination.tag == nil {
            destination = destination.tagged(try packaging.destination("localhost").tag ?? "latest")
        }
        let pointers = try PointerScan(repository).pointers(in: commit)
            .filter { $0.path == settings.path || $0.path.hasPrefix(settings.path + "/") }.map(\.pointer)
        if pointers.contains(where: { $0.size > 0 && !repository.contentStore.contains($0.digest, size: $0.size) }) {
            let remote = try DataRemote(repository, project: project).own()
            try await DataTransfer(repository, store: repository.contentStore, remote: remote).fetch(pointers)
        }
        let package = try await packaging.build(for: destination) { if !json.isOn { print($0) } }
        let sent = try await packaging.push(package, to: destination)
        show(package.image, destination, sent)
    }

    private func show(_ image: Image, _ destination: ImageReference, _ sent: Set<Digest>) {
        var isLocal = false
        if case .layout = destination { isLocal = true }
        if json.isOn {
            let layers = image.layers.map { layer -> JSON in
                [
                    "kind": .string(layer.kind.rawValue), "digest": .string("\(layer.descriptor.digest)"),
                    "size": .int(layer.descriptor.size), "pushed": .bool(sent.contains(layer.descriptor.digest)),
                ]
            }
            print(
                [
                    "reference": .string("\(destination)"), "digest": .string("\(image.manifest.digest)"),
                    "size": .int(image.size), "layers": .array(layers),
                ] as JSON)
        } else {
            print("\(isLocal ? "wrote" : "pushed") \(destination) (\(ByteCount.format(image.size)))")
            print("\(image.manifest.digest)")
        }
    }
}
