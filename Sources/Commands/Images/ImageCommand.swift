internal import ArgumentParser
internal import Base
internal import Delivery
internal import GitKit
internal import Images

struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Look into an image", subcommands: [Inspect.self, Verify.self])

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
            if let type = image.artifactType { lines.append(("artifact", type)) }
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

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check that an image is whole and made from this repository",
            discussion: """
                Every byte against its digest; the commit and the version tag that its labels name; the same image made anew from
                that commit; the signature against the signers of the protected branch; and its provenance against the image,
                the commit and the tag. A signature is missing only where `package: sign:` asks for one. Exits with 5 when
                something is wrong.

                  $ git ml image verify ghcr.io/acme/churn:v1.2.0
                """)

        @Argument(help: "HOST/NAME[:TAG][@DIGEST], oci:DIR[:TAG] or oci-archive:FILE.")
        var image: String

        @OptionGroup var options: RunnerOptions
        @OptionGroup var json: JSONOption

        func run() async throws {
            let repository = try options.repository()
            let verification = ImageVerification(repository, try ModelPackage.registryOptions(repository))
            let reference = try ImageReference(image).below(Installation.currentFolder)
            let checks = try await verification.check(reference) { model, commit, platform, form, format in
                let found = try PackagedModel(model, at: commit, in: repository)
                var choices = found.choices(repository)
                choices.platform = platform
                choices.form = form
                choices.format = format
                choices.base = .looked
                return try await ModelPackage(
                    repository: repository, places: options.places(repository), model: found.entry,
                    settings: found.settings, commit: found.commit, choices: choices
                ).build { _ in }.image.manifest
            }
            for check in checks {
                if json.isOn {
                    print(
                        [
                            "check": .string(check.name), "result": .string(check.result.rawValue),
                            "detail": .string(check.detail), "code": .optional(check.code),
                        ] as JSON)
                } else {
                    print(
                        Terminal.safe(
                            "\(check.name.padded(to: 20)) \(check.result.rawValue.padded(to: 7)) \(check.detail)"))
                }
            }
            if checks.contains(where: { $0.result == .failed }) { throw ExitCode(FailureKind.corrupt.exitStatus) }
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
