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

    @Argument(help: "NAME, NAME@VERSION or NAME#STAGE; a name alone means its latest version.")
    var model: String

    @Option(help: "Where the image goes: oci:DIR[:TAG] or HOST/NAME[:TAG].")
    var to: String

    @OptionGroup var options: RunnerOptions
    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try options.repository()
        let mark = model.firstIndex { "@#".contains($0) } ?? model.endIndex
        let commit = try commit(in: repository, mark)
        // What to package is told by the project as it is now; what goes in comes from the commit alone.
        let project =
            try repository.workTree == nil
            ? repository.head().flatMap { try Project.at($0, in: repository) } ?? Project()
            : Project.inWorkTree(of: repository)
        let (name, settings) = try project.model(String(model[..<mark]))
        guard try repository.entry(settings.path, in: commit) != nil else {
            throw ModelFailure.noFile(path: settings.path, commit: commit.short)
        }
        let entry = Registry(try repository.tags(), allowLight: project.allowsLightTags).models[name]
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

    private func commit(in repository: Repository, _ mark: String.Index) throws -> ObjectID {
        let name = String(model[..<mark])
        let project = try repository.workTree == nil ? Project() : Project.inWorkTree(of: repository)
        let tags = Registry(try repository.tags(), allowLight: project.allowsLightTags).models
        let entry = ModelName(name).flatMap { tags[$0] }
        guard mark < model.endIndex else {
            if let latest = entry?.latest { return latest.commit }
            return try repository.resolve("HEAD")
        }
        let word = String(model[model.index(after: mark)...])
        if model[mark] == "#" {
            guard let assignment = entry?.desired[word] else { throw ModelFailure.noVersion(model: model) }
            return assignment.commit
        }
        guard let version = SemanticVersion(word),
            let found = entry?.versions.last(where: { $0.version == version && !$0.isDeregistered })
        else { throw ModelFailure.noVersion(model: model) }
        return found.commit
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
