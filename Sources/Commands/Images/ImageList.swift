internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Images
internal import Models

struct ImagesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images", abstract: "List the images of a model, or remove what nobody needs",
        subcommands: [ImageList.self, ImageCollection.self], defaultSubcommand: ImageList.self)
}

/// Which images a command looks at.
struct ImageOptions: ParsableArguments {
    @Argument(help: "The model.")
    var model: String

    @Option(help: "HOST/NAME or oci:DIR; default: below registry: of ml.yaml.")
    var at: String?

    @OptionGroup var options: RunnerOptions

    /// The place, and the images there that git-ml made of the model.
    func find() async throws -> (catalog: ImageCatalog, place: ImageReference, images: [ListedImage], entry: ModelEntry)
    {
        let repository = try options.repository()
        let found = try PackagedModel(model, in: repository)
        let packaging = ModelPackage(
            repository: repository, places: try options.places(repository), model: found.entry,
            settings: found.settings,
            commit: found.commit)
        let place =
            try at.map { try ImageReference($0).below(Installation.currentFolder) }
            ?? packaging.destination(found.project.registry)
        let catalog = ImageCatalog(place, try ModelPackage.registryOptions(repository))
        let images = try await catalog.images().filter { $0.annotations["dev.git-ml.model"] == "\(found.entry.name)" }
        return (catalog, place, images, found.entry)
    }
}

struct ImageList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the images of a model",
        discussion: """
            Looks below registry: of ml.yaml, or where --at says, and tells which version, commit and stage each image is of.

              $ git ml images churn
              $ git ml images churn --at ghcr.io/acme/churn --json
            """)

    @OptionGroup var which: ImageOptions
    @OptionGroup var json: JSONOption

    func run() async throws {
        let (_, place, images, entry) = try await which.find()
        if json.isOn {
            for image in images { print(Self.json(image, place, entry)) }
        } else if images.isEmpty {
            print("No images of \(which.model) there: `git ml package \(which.model)` makes one.")
        } else {
            show(images, entry)
        }
    }

    private func show(_ images: [ListedImage], _ entry: ModelEntry) {
        var table = Table(["TAG", "VERSION", "COMMIT", "STAGES", "CREATED", "SIZE", "DIGEST"])
        for image in images {
            let commit = image.commit
            table.add([
                image.tag, image.annotations["org.opencontainers.image.version"] ?? "", commit?.short ?? "",
                Self.stages(commit, entry).joined(separator: " "),
                image.annotations["org.opencontainers.image.created"] ?? "", ByteCount.format(image.size),
                image.manifest.digest.short,
            ])
        }
        table.print()
    }

    /// The stages that want this commit now.
    private static func stages(_ commit: ObjectID?, _ entry: ModelEntry) -> [String] {
        entry.desired.filter { $0.value.commit == commit }.keys.sorted()
    }

    private static func json(_ image: ListedImage, _ place: ImageReference, _ entry: ModelEntry) -> JSON {
        let commit = image.commit
        return [
            "reference": .string("\(place.tagged(image.tag))"), "tag": .string(image.tag),
            "digest": .string("\(image.manifest.digest)"), "size": .int(image.size),
            "model": .string("\(entry.name)"),
            "version": .optional(image.annotations["org.opencontainers.image.version"]),
            "commit": .optional(commit?.hex),
            "created": .optional(image.annotations["org.opencontainers.image.created"]),
            "stages": .array(stages(commit, entry).map { .string($0) }),
        ]
    }
}

extension ListedImage {
    /// The commit that it was made of.
    var commit: ObjectID? { annotations["org.opencontainers.image.revision"].flatMap { ObjectID($0) } }
}

struct ImageCollection: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Remove the images of a model that no tag and no stage needs",
        discussion: """
            Only images that git-ml made of this model, and only with --delete; otherwise they are listed. An image stays as long as
            a version or a stage, now or before, is of its commit. A registry frees the room by a collector of its own.

              $ git ml images gc churn
              $ git ml images gc churn --delete
            """)

    @OptionGroup var which: ImageOptions

    @Flag(help: "Remove them.")
    var delete = false

    @OptionGroup var json: JSONOption

    func run() async throws {
        let (catalog, place, images, entry) = try await which.find()
        let needed = Set(
            entry.versions.filter { !$0.isDeregistered }.map(\.commit) + entry.stages.values.joined().map(\.commit))
        let kept = Set(images.filter { $0.commit.map(needed.contains) ?? true }.map(\.manifest.digest))
        let gone = images.filter { !kept.contains($0.manifest.digest) }
        if delete { try await catalog.remove(gone) }
        for image in gone {
            if json.isOn {
                print(
                    [
                        "reference": .string("\(place.tagged(image.tag))"),
                        "digest": .string("\(image.manifest.digest)"),
                        "size": .int(image.size), "removed": .bool(delete),
                    ] as JSON)
            } else {
                print(
                    "\(delete ? "removed" : "would remove") \(place.tagged(image.tag)) (\(ByteCount.format(image.size)))"
                )
            }
        }
        if gone.isEmpty, !json.isOn { print("Every image of \(which.model) there is needed.") }
    }
}
