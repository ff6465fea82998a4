internal import Base

/// What a filter can ask of a run.
enum FilterOperand: Hashable, Sendable {
    case metric(String)
    case param(String)
    case tag(String)
    case attribute(Attribute)

    /// What is known of every run.
    enum Attribute: String, CaseIterable, Sendable {
        case run, name, experiment, user, host, source, status, commit, parent
        case started, ended, seconds, exit, dirty
    }

    /// How a value can be compared.
    enum Kind: Sendable {
        case number
        /// A text, and a number where it can be read as one.
        case flexible
        case text
        /// Milliseconds since 1970, as MLflow has it.
        case time
        case truth
    }

    var kind: Kind {
        switch self {
        case .metric: .number
        case .param, .tag: .flexible
        case .attribute(let attribute):
            switch attribute {
            case .run, .name, .experiment, .user, .host, .source, .status, .commit, .parent: .text
            case .started, .ended: .time
            case .seconds, .exit: .number
            case .dirty: .truth
            }
        }
    }

    private static let attributes: [String: Attribute] = {
        var names = Dictionary(uniqueKeysWithValues: Attribute.allCases.map { ($0.rawValue, $0) })
        // MLflow's words for the same.
        names.merge([
            "run_id": .run, "run_name": .name, "start_time": .started, "end_time": .ended, "created": .started,
            "user_id": .user, "experiment_name": .experiment,
        ]) { $1 }
        return names
    }()

    private static let families = [
        "metrics": "metric", "metric": "metric", "params": "param", "param": "param", "parameters": "param",
        "parameter": "param", "tags": "tag", "tag": "tag", "attributes": "attribute", "attribute": "attribute",
        "attr": "attribute", "run": "attribute",
    ]

    /// Reads `metrics.auc` or `status`; an error says why not.
    static func read(_ name: String, quotedKey: String?) -> Result<FilterOperand, Problem> {
        guard let dot = name.firstIndex(of: ".") else {
            if let attribute = attributes[name.lowercased()] { return .success(.attribute(attribute)) }
            return .failure(unknown(name, among: Array(attributes.keys), what: "attribute"))
        }
        let prefix = String(name[..<dot])
        let key = String(name[name.index(after: dot)...]) + (quotedKey ?? "")
        guard let family = families[prefix.lowercased()] else {
            return .failure(unknown(prefix, among: ["metrics", "params", "tags", "attributes"], what: "kind of value"))
        }
        if key.isEmpty { return .failure(Problem(reason: "after “\(name)” a name is missing")) }
        switch family {
        case "metric": return .success(.metric(key))
        case "param": return .success(.param(key))
        case "tag": return .success(.tag(key))
        default:
            if let attribute = attributes[key.lowercased()] { return .success(.attribute(attribute)) }
            return .failure(unknown(key, among: Array(attributes.keys), what: "attribute"))
        }
    }

    /// Reads a key to sort by or a column; what follows the first dot needs no quotes there.
    static func read(key text: String) throws(FilterFailure) -> FilterOperand {
        var result = read(text, quotedKey: nil)
        if let dot = text.firstIndex(of: "."), let quote = text[text.index(after: dot)...].first,
            text.count > dot.utf16Offset(in: text) + 2, quote == "\"" || quote == "`", text.last == quote
        {
            let key = text[text.index(dot, offsetBy: 2)...].dropLast()
            result = read(String(text[...dot]), quotedKey: String(key))
        }
        switch result {
        case .success(let operand): return operand
        case .failure(let problem): throw FilterFailure(text: text, column: 1, reason: problem.reason)
        }
    }

    struct Problem: Error {
        let reason: String
    }

    private static func unknown(_ word: String, among known: [String], what: String) -> Problem {
        let nearest = Spelling.nearest(to: word.lowercased(), in: known.sorted())
        let advice = nearest.map { "; did you mean “\($0)”?" } ?? "; values are named metrics.…, params.… and tags.…"
        return Problem(reason: "“\(word)” is no \(what)\(advice)")
    }

    /// As it is written in a filter.
    var description: String {
        switch self {
        case .metric(let key): "metrics." + Self.quoted(key)
        case .param(let key): "params." + Self.quoted(key)
        case .tag(let key): "tags." + Self.quoted(key)
        case .attribute(let attribute): attribute.rawValue
        }
    }

    private static func quoted(_ key: String) -> String {
        let isPlain =
            !key.isEmpty && key.last != "." && key.allSatisfy { $0 == "_" || $0 == "." || $0.isLetter || $0.isNumber }
        return isPlain ? key : "\"" + key.replacing("\"", with: "\"\"") + "\""
    }
}
