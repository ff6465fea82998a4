internal import ArgumentParser
internal import Delivery
internal import SystemPackage

/// The process in front of a stage's servers; `LocalTarget` starts it.
struct SwitchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch", abstract: "Pass connections to the active server of a stage", shouldDisplay: false)

    @Option(help: "The address to listen on.")
    var host: String

    @Option(help: "The port; 0 takes a free one.")
    var port: Int

    @Argument(help: "The stage's folder.")
    var directory: String

    func run() async throws { try await Switch(directory: FilePath(directory)).run(host: host, port: port) }
}
