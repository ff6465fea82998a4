public import Base

/// What came of running a recorded command again.
public struct ReproductionReport: Sendable {
    public enum Verdict: String, Sendable {
        /// Outputs and metrics are the same, to the last bit.
        case reproduced
        /// Every metric is within the tolerance, though not everything is the same.
        case withinTolerance = "reproduced within tolerance"
        case different
        /// The command could not be run as it was, or did not come to its end.
        case cannot
    }

    /// How one metric or output compares.
    public enum Agreement: String, Sendable {
        case equal
        case within
        case different
        /// The first run had it, the second has not.
        case missing
        /// Only the second run has it; that alone is no difference.
        case new
    }

    public struct Metric: Sendable, Equatable {
        public let key: String
        public let old: Double?
        public let new: Double?
        public let agreement: Agreement
    }

    public struct Output: Sendable, Equatable {
        public let path: String
        public let old: Digest?
        public let new: Digest?
        public let agreement: Agreement
    }

    /// Something of the machine that is not as it was.
    public struct Difference: Sendable, Equatable {
        public let key: String
        public let old: JSON
        public let new: JSON
    }

    /// The recorded run.
    public let old: Run
    /// The run that repeated it; nil when it never started.
    public internal(set) var new: Run?
    public let tolerance: Double
    public internal(set) var environment: [Difference] = []
    /// Why the command could not be run as it was, or what else there is to know.
    public internal(set) var reasons: [String] = []
    public private(set) var metrics: [Metric] = []
    public private(set) var outputs: [Output] = []
    public private(set) var verdict = Verdict.cannot

    init(_ old: Run, tolerance: Double) {
        self.old = old
        self.tolerance = tolerance
    }

    /// Compares the run that repeated it.
    mutating func judge(_ new: Run) {
        self.new = new
        metrics = Self.metrics(old.values, new.values, tolerance: tolerance)
        outputs = Self.outputs(old.outputs, new.outputs)
        guard new.status != "killed" || old.status == "killed" else {
            reasons.append("the command was stopped before its end")
            verdict = .cannot
            return
        }
        if let before = old.exit, before != new.exit {
            reasons.append("the exit status was \(before) and is now \(new.exit.map { "\($0)" } ?? "unknown")")
            verdict = .different
            return
        }
        verdict = Self.verdict(metrics.map(\.agreement), outputs.map(\.agreement))
        if metrics.isEmpty, outputs.isEmpty {
            reasons.append("the run has neither metrics nor outputs: nothing but the exit status could be compared")
        }
    }

    /// Outputs may differ where metrics do within the tolerance: a model holds the same last digits.
    static func verdict(_ metrics: [Agreement], _ outputs: [Agreement]) -> Verdict {
        let all = metrics + outputs
        if all.allSatisfy({ $0 == .equal || $0 == .new }) { return .reproduced }
        if all.contains(.missing) || metrics.contains(.different) { return .different }
        return metrics.contains(.within) ? .withinTolerance : .different
    }

    static func metrics(_ old: [String: Double], _ new: [String: Double], tolerance: Double) -> [Metric] {
        Set(old.keys).union(new.keys).sorted().map { key in
            let (a, b) = (old[key], new[key])
            let agreement: Agreement
            if let a, let b {
                agreement = Self.agreement(a, b, tolerance)
            } else {
                agreement = a == nil ? .new : .missing
            }
            return Metric(key: key, old: a, new: b, agreement: agreement)
        }
    }

    /// NaN equals NaN; the tolerance is relative to the larger of the two.
    static func agreement(_ a: Double, _ b: Double, _ tolerance: Double) -> Agreement {
        if a == b || (a.isNaN && b.isNaN) { return .equal }
        let allowed = tolerance * max(a.magnitude, b.magnitude)
        return a.isFinite && b.isFinite && (a - b).magnitude <= allowed ? .within : .different
    }

    /// Logs hold times and paths: they are not compared.
    static func outputs(_ old: [RunItem], _ new: [RunItem]) -> [Output] {
        func digests(_ items: [RunItem]) -> [String: Digest] {
            Dictionary(items.filter { $0.role != .log }.map { ($0.path, $0.digest) }) { $1 }
        }
        let (old, new) = (digests(old), digests(new))
        return Set(old.keys).union(new.keys).sorted().map { path in
            let (a, b) = (old[path], new[path])
            let agreement: Agreement = a == nil ? .new : b == nil ? .missing : a == b ? .equal : .different
            return Output(path: path, old: a, new: b, agreement: agreement)
        }
    }

    /// What differs of the machine; what nobody recorded is left out, and `3.11` says nothing against `3.11.7`.
    static func differences(_ old: JSON, _ new: JSON) -> [Difference] {
        (old.members ?? []).filter { $0.key != Execution.folderKey }.compactMap { member in
            let now = new[member.key] ?? .null
            guard member.value != .null, member.value != now else { return nil }
            if let a = member.value.string, let b = now.string, "\(a).".hasPrefix("\(b).") || "\(b).".hasPrefix("\(a).")
            {
                return nil
            }
            return Difference(key: member.key, old: member.value, new: now)
        }
    }

    /// One object as `git ml reproduce --json` prints it.
    public var json: JSON {
        [
            "run": .string(old.id), "reproduction": .optional(new?.id), "verdict": .string(verdict.rawValue),
            "tolerance": .double(tolerance), "reasons": .array(reasons.map { .string($0) }),
            "exit": ["old": old.exit.map { .int($0) } ?? .null, "new": new?.exit.map { .int($0) } ?? .null],
            "metrics": .array(
                metrics.map {
                    [
                        "key": .string($0.key), "old": $0.old.map { .number($0) } ?? .null,
                        "new": $0.new.map { .number($0) } ?? .null, "agreement": .string($0.agreement.rawValue),
                    ]
                }),
            "outputs": .array(
                outputs.map {
                    [
                        "path": .string($0.path), "old": .optional($0.old?.description),
                        "new": .optional($0.new?.description), "agreement": .string($0.agreement.rawValue),
                    ]
                }),
            "environment": .array(environment.map { ["key": .string($0.key), "old": $0.old, "new": $0.new] }),
        ]
    }
}
