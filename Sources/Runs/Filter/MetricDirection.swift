/// Which way a metric gets better.
public enum MetricDirection: String, Sendable {
    case higher, lower
}

extension Filter {
    /// Which way the candidate's metrics must go for a gate to hold, as its comparisons show it.
    ///
    /// A metric that is asked for both ways, or only compared for equality, has none.
    public var directions: [String: MetricDirection] {
        var found: [String: Set<MetricDirection>] = [:]
        collect(condition, isNegated: false) { found[$0, default: []].insert($1) }
        return found.compactMapValues { $0.count == 1 ? $0.first : nil }
    }

    private func collect(
        _ condition: FilterCondition, isNegated: Bool, _ add: (String, MetricDirection) -> Void
    ) {
        switch condition {
        case .and(let conditions), .or(let conditions):
            for inner in conditions { collect(inner, isNegated: isNegated, add) }
        case .not(let inner): collect(inner, isNegated: !isNegated, add)
        case .numbers(let a, let comparison, let b):
            guard comparison != .equal, comparison != .unequal else { return }
            let isUpward = (comparison == .greater || comparison == .greaterOrEqual) != isNegated
            for (key, sign) in FilterNumber.difference(a, b).slopes {
                add(key, (sign > 0) == isUpward ? .higher : .lower)
            }
        case .texts, .like, .numberIn, .textIn, .isMissing: return
        }
    }
}

extension FilterNumber {
    /// The candidate's metrics in it, each with the sign by which the whole grows with it, as far as that can be told.
    fileprivate var slopes: [(key: String, sign: Double)] {
        func turned(_ number: FilterNumber, by factor: Double) -> [(key: String, sign: Double)] {
            factor == 0 ? [] : number.slopes.map { ($0.key, $0.sign * (factor < 0 ? -1 : 1)) }
        }
        switch self {
        case .literal: return []
        case .value(let source):
            guard case .metric(let key) = source.operand, source.subject == .candidate else { return [] }
            return [(key, 1)]
        case .negated(let a): return turned(a, by: -1)
        case .sum(let a, let b): return a.slopes + b.slopes
        case .difference(let a, let b): return a.slopes + turned(b, by: -1)
        case .product(let a, let b):
            if let factor = b.constant { return turned(a, by: factor) }
            return a.constant.map { turned(b, by: $0) } ?? []
        case .quotient(let a, let b): return b.constant.map { turned(a, by: $0) } ?? []
        }
    }

    private var constant: Double? {
        switch self {
        case .literal(let value): value
        case .negated(let a): a.constant.map { -$0 }
        default: nil
        }
    }
}

extension MetricDirection {
    private static let lowerNames = [
        "loss", "error", "rmse", "mse", "mae", "mape", "perplexity", "latency", "seconds", "brier",
    ]
    private static let higherNames: Set<String> = [
        "auc", "auroc", "auprc", "acc", "accuracy", "f1", "precision", "recall", "sensitivity", "specificity", "r2",
        "score",
        "iou", "miou", "dice", "map", "ap", "ndcg", "mrr", "bleu", "rouge", "kappa", "mcc", "gini",
    ]

    /// Which way a metric of a well-known name gets better; nil for other names.
    public init?(wellKnown name: String) {
        let name = name.lowercased()
        if Self.lowerNames.contains(where: { name.contains($0) }) {
            self = .lower
            return
        }
        let words = name.split { !$0.isLetter && !$0.isNumber }.map(String.init)
        guard words.contains(where: { Self.higherNames.contains($0) }) else { return nil }
        self = .higher
    }
}
