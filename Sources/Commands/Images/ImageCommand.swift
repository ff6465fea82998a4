internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Images

struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Look into images", subcommands: [Inspect.self])

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what an image is: platform, labels, layers",
            discussion: """
                Reads manifest and config only, whose digests are checked; no layer is brought.

                  $ git ml image inspect ghcr.io/acme/churn:v1.2.0
                  $ git ml image inspect oci:/tmp/images:churn-v1.2.0 --json

                An index is shown with the platforms that it is for, and one of them with --platform.
                """)

        @Argument(help: "HOST/NAME[:TAG][@DIGEST], oci:DIR[:TAG], docker-archive:FILE or oci-archive:FILE.")
        var image: String

        @Option(help: "Which image of an index to show, such as linux/arm64.")
        var platform: String?

        @OptionGroup var json: JSONOption

        func run() async throws {
            let options =
                try (try? Repository.current()).map { try ModelPackage.registryOptions($0) } ?? RegistryOptions()
            let found = try await ImageDescription(
                ImageReference(image).below(Installation.currentFolder), platform: platform.map { try Platform($0) },
                options)
            if json.isOn { print(found.json) } else { show(found) }
        }

        private func show(_ image: ImageDescription) {
            var lines = [("digest", "\(image.manifest.digest)")]
            if let index = image.index { lines.append(("index", "\(index)")) }
            if let platform = image.platform { lines.append(("platform", "\(platform)")) }
            if !image.choices.isEmpty {
                lines.append(("platforms", image.choices.map { "\($0)" }.joined(separator: ", ")))
            }
            if let config = image.config?["config"] {
                for (name, key) in [("user", "User"), ("folder", "WorkingDir")] {
                    if let value = config[key]?.string, !value.isEmpty { lines.append((name, value)) }
                }
                for (name, key) in [("entrypoint", "Entrypoint"), ("command", "Cmd"), ("environment", "Env")] {
                    let words = config[key]?.array?.compactMap(\.string) ?? []
                    if !words.isEmpty { lines.append((name, words.map(shellQuoted).joined(separator: " "))) }
                }
            }
            for (name, value) in lines { print(Terminal.safe("\(name):".padded(to: 14) + value)) }
            for layer in image.layers {
                print(Terminal.safe("layer:".padded(to: 14) + "\(layer.digest) \(ByteCount.format(layer.size))"))
            }
            for kind in image.attached { print(Terminal.safe("attached:".padded(to: 14) + kind)) }
            for (key, value) in image.labels.sorted(by: { $0.key < $1.key }) {
                print(Terminal.safe("label:".padded(to: 14) + "\(key)=\(value)"))
            }
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
