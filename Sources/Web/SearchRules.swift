internal import Base

/// What one of MLflow's searches can be asked, in MLflow's words where it cannot.
/// - SeeAlso: MLflow's `mlflow/utils/search_utils.py`
struct SearchRules: Sendable {
    /// Attributes that are texts.
    let texts: [String]
    /// Attributes that are numbers.
    let numbers: [String]
    /// Attributes that may be compared with a list.
    let lists: [String]
    /// What there is besides attributes.
    let kinds: Set<MLflowFilter.Kind>

    static let runs = SearchRules(
        texts: ["artifact_uri", "run name", "Run name", "Run Name", "run_id", "run_name", "status", "user_id"],
        numbers: ["Created", "created", "end_time", "start_time"], lists: ["run_id"],
        kinds: [.metric, .param, .tag, .dataset])
    static let experiments = SearchRules(
        texts: ["experiment_id", "name"], numbers: ["creation_time", "last_update_time"],
        lists: ["experiment_id", "name"], kinds: [.tag])
    static let models = SearchRules(texts: ["name"], numbers: [], lists: [], kinds: [.tag])
    static let versions = SearchRules(
        texts: ["name", "run_id", "source", "source_path"],
        numbers: ["creation_timestamp", "last_updated_timestamp", "version_number"], lists: ["run_id"], kinds: [.tag])

    private static let numeric = ["!=", "<", "<=", "=", ">", ">="]
    private static let textual = ["!=", "=", "ILIKE", "LIKE"]

    /// Refuses a filter that asks for something else.
    func check(_ filter: MLflowFilter) throws {
        for comparison in filter.comparisons { try check(comparison) }
    }

    private func check(_ comparison: MLflowFilter.Comparison) throws {
        let (kind, key) = (comparison.kind, comparison.key)
        guard kind == .attribute || kinds.contains(kind) else {
            let valid = (["attribute"] + kinds.map(\.rawValue).sorted()).map { "'\($0)'" }.joined(separator: ", ")
            throw MLflowFailure.invalid("Invalid entity type '\(kind.rawValue)'. Valid entity types are (\(valid))")
        }
        if kind == .attribute, !texts.contains(key), !numbers.contains(key) { throw unknown(key) }
        if kind == .dataset, !["name", "digest", "context"].contains(key) {
            throw MLflowFailure.invalid(
                "Invalid dataset key '\(key)' specified. Valid keys are '{'context', 'digest', 'name'}'")
        }
        if comparison.value == .null, kind != .tag, kind != .param {
            throw MLflowFailure.invalid(
                "IS NULL / IS NOT NULL is only supported for tags and params, not for '\(kind.rawValue)' '\(key)'")
        }
        if kind == .attribute, case .list = comparison.value, !lists.contains(key) {
            let names = lists.map { "'\($0)'" }.joined(separator: ", ")
            throw MLflowFailure.invalid(
                "Only [\(names)] attributes support comparison with a list of quoted string values.")
        }
        let valid = comparators(kind, key)
        guard valid.contains(comparison.comparator) || comparison.value == .null else {
            throw MLflowFailure.invalid(
                "Invalid comparator '\(comparison.comparator)' not one of '\(Self.set(valid))'")
        }
    }

    private func comparators(_ kind: MLflowFilter.Kind, _ key: String) -> [String] {
        switch kind {
        case .metric: Self.numeric
        case .attribute where numbers.contains(key): Self.numeric
        case .attribute, .dataset: Self.textual + ["IN", "NOT IN"]
        case .param, .tag: Self.textual + ["IS NOT NULL", "IS NULL"]
        }
    }

    /// The failure of a name that is no attribute.
    func unknown(_ key: String) -> MLflowFailure {
        .invalid("Invalid attribute key '\(key)' specified. Valid keys are '\(Self.set((texts + numbers).sorted()))'")
    }

    private static func set(_ names: [String]) -> String {
        "{" + names.map { "'\($0)'" }.joined(separator: ", ") + "}"
    }
}
