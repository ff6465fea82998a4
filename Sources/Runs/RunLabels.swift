internal import GitKit

/// What runs are called where several stand side by side.
public enum RunLabels {
    /// One label a run, in their order: its name, that of a commit's own run the commit, else the beginning of its id;
    /// with the id behind it where two would read alike.
    public static func of(_ runs: [Run]) -> [String] {
        let plain = runs.map(of)
        let counts = Dictionary(plain.map { ($0, 1) }, uniquingKeysWith: +)
        return zip(runs, plain).map { run, label in
            counts[label] == 1 || label == short(run.id) ? label : "\(label) (\(short(run.id)))"
        }
    }

    /// The label of one run.
    public static func of(_ run: Run) -> String {
        if let name = run.name, !name.isEmpty { return name }
        return run.source == "commit" ? run.commit.short : short(run.id)
    }

    /// The first 12 digits of an id: all of the millisecond that it was made in.
    public static func short(_ id: String) -> String { String(id.prefix(12)) }
}
