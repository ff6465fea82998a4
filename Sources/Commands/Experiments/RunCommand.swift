internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Runs
internal import SystemPackage

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command as an experiment",
        discussion: """
            Records the exact code (uncommitted changes included; your index and work tree stay as they are), parameters,
            data, what the command prints, its metrics, models, time and memory. Ctrl-C stops the command and the run
            counts as killed.

            Inside, GIT_ML_RUN names a folder: append lines such as {"step": 1, "loss": 0.3} to its metrics.jsonl, or call
            `git ml metric`, `param`, `tag` and `artifact`. A script with `import mlflow` logs into this run as it is: the first
            run that it starts is this one, and further ones are runs inside of it. MLFLOW_TRACKING_URI and
            MLFLOW_TRACKING_TOKEN are set for that, unless you have set MLFLOW_TRACKING_URI yourself.

              $ git ml run -- python train.py
              $ git ml run --name deep -p model.depth=8 -p lr=0.01 -- python train.py

            Exit status: the command's own.
            """)

    @Option(help: "A name for the run.")
    var name: String?

    @Option(help: "The experiment that it belongs to.")
    var experiment: String?

    @Option(name: .shortAndLong, help: "Set a parameter in params.yaml first: KEY=VALUE.")
    var param: [String] = []

    @OptionGroup var json: JSONOption

    @Argument(parsing: .postTerminator, help: "The command and its arguments.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("name a command behind --: git ml run -- python train.py") }
        for pair in param where KeyValue(pair) == nil { throw ValidationError("“\(pair)” is not KEY=VALUE") }
    }

    func run() async throws {
        let experiment = experiment
        let repository = try Repository.current()
        let project = try Project.inWorkTree(of: repository)
        var order = Execution.Order(command)
        order.name = name
        order.experiment = experiment
        order.params = param.compactMap { KeyValue($0) }.map { ($0.key, $0.value) }
        if json.isOn { order.output = .standardError }
        let execution = Execution(repository, settings: project.record, modelPaths: project.modelPaths)
        let server = ServerBox()
        if !Self.hasOwnServer { order.prepare = { await server.start(repository, for: $0, experiment: experiment) } }
        let result: Execution.Result
        do {
            result = try await Self.execute(execution, order)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
        if json.isOn { print(result.run.json) } else { Terminal.error("git-ml: \(Self.summary(result.run))") }
        if result.exit != 0 { throw ExitCode(result.exit) }
    }

    /// Whether the person has named a tracking server; one that an outer `git ml run` has named does not count.
    private static var hasOwnServer: Bool {
        environmentValue("MLFLOW_TRACKING_URI") != nil && environmentValue("GIT_ML_RUN") == nil
    }

    /// The command is waited for on the main thread: the server needs those of Swift's pool, of which there may be one.
    @MainActor
    private static func execute(_ execution: Execution, _ order: Execution.Order) async throws -> Execution.Result {
        try await execution.run(order) { Terminal.error("git-ml: \(Terminal.safe($0))") }
    }

    private static func summary(_ run: Run) -> String {
        let name = run.name.map { "\(Terminal.safe($0)) " } ?? ""
        let seconds = run.seconds.map { " in \(Decimal.format($0, digits: 1)) s" } ?? ""
        let metrics = run.values.sorted { $0.key < $1.key }.prefix(6)
            .map { "  \(Terminal.safe($0.key))=\(RunTable.text($0.value))" }
        return "run \(name)\(run.id.prefix(12)) \(run.status)\(seconds)" + metrics.joined()
    }
}

/// `KEY=VALUE` on a command line.
struct KeyValue {
    let key: String
    let value: String

    init?(_ text: String) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else { return nil }
        key = String(text[..<equals])
        value = String(text[text.index(after: equals)...])
    }
}
