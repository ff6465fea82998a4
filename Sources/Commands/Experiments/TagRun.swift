internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs
internal import SystemPackage

struct TagCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "Put tags on a run, or take them off",
        discussion: """
            Inside a script that git ml run has started, without --run: the run that goes on.

              $ git ml tag --run gbm-3 owner=ann reviewed=yes
              $ git ml tag --run best:metrics.auc --unset draft
            """)

    @Argument(help: "Tags to set: key=value.")
    var pairs: [String] = []

    @Option(
        name: .customLong("run"),
        help: ArgumentHelp("The run; the default is the one that this script runs in.", valueName: "run"))
    var name: String?

    @Option(help: ArgumentHelp("A tag to take off; may be repeated.", valueName: "key"))
    var unset: [String] = []

    @OptionGroup var json: JSONOption

    func validate() throws {
        guard !pairs.isEmpty || !unset.isEmpty else { throw ValidationError("Name a tag: key=value, or --unset KEY.") }
        for pair in pairs where KeyValue(pair) == nil {
            throw ValidationError("“\(pair)” is not of the form key=value.")
        }
    }

    func run() throws {
        let set = Secrets.masked(
            Dictionary(pairs.compactMap { KeyValue($0) }.map { ($0.key, $0.value) }) { $1 })
        guard let name else { return try tagInside(set) }
        let store = try RunStore.current()
        let run = try RunSelection(store: store).run(name)
        try store.change(run) { $0.tags(set, unset: unset) }
        try RunChange.report(run, store, json: json, "tagged \(RunLabels.of(run))")
    }

    /// Tags the run that this process belongs to.
    private func tagInside(_ set: [String: String]) throws {
        let unset = unset
        try InsideRun().append { $0.tags(set, unset: unset) }
    }
}
