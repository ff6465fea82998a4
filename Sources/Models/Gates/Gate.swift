internal import Base

extension StageSettings {
    /// One gate: an expression, a command, or a check of data.
    public enum Gate: Sendable, Equatable {
        case expression(GateExpression)
        case command(Command)
        case data(DataRule)

        /// `run:`: a command whose exit status decides.
        public struct Command: Sendable, Equatable {
            /// The program and its arguments; a program with a `/` lies in the checkout.
            public var words: [String]
            public var limits = GateLimits()
            /// Where the command writes its results as JUnit XML, from the top of the checkout.
            public var junit: String?
            /// The data files and datasets that it reads; nil: all of the commit.
            public var needs: [String]?

            public init(_ words: [String]) { self.words = words }
        }

        /// `data:`: a table that must be as a schema says.
        public struct DataRule: Sendable, Equatable {
            public var path: String
            public var schema: String

            public init(path: String, schema: String) {
                self.path = path
                self.schema = schema
            }
        }
    }

    /// What the numbers that a gate judges must rest on.
    ///
    /// Anyone who may push can write a note that claims a metric.
    public enum Evidence: String, CaseIterable, Sendable {
        /// The note is enough.
        case any
        /// Somebody whom the stage's `signers` name has signed for it: see ``SignedEvidence``.
        case signed
        /// The recorded command, run again, gives the same metrics: see ``RerunEvidence``.
        case rerun

        /// A word, or `{kind: rerun, limits: {time: 2h, memory: 8GB}}`.
        static func read(_ node: YAMLNode) throws -> (Evidence, GateLimits) {
            guard case .map = node.value else { return (try node.choice(Evidence.self), GateLimits()) }
            let fields = try node.fields(["kind", "limits"])
            guard let kind = fields["kind"] else { throw node.failure("“evidence” needs a kind: any, signed or rerun") }
            return (try kind.choice(Evidence.self), try fields["limits"].map(GateLimits.init) ?? GateLimits())
        }
    }
}

extension StageSettings.Gate {
    init(_ node: YAMLNode) throws {
        guard case .map = node.value else {
            let text = try node.text()
            do { self = .expression(try GateExpression.parse(text)) } catch {
                throw node.failure("\(error)", hints: error.hints)
            }
            return
        }
        let fields = try node.fields(["run", "limits", "junit", "needs", "data", "schema"])
        switch (fields["run"], fields["data"]) {
        case (let run?, nil):
            if let schema = fields["schema"] { throw schema.failure("“schema” belongs to a gate with data:") }
            self = .command(try Command(run, fields))
        case (nil, let data?):
            for key in ["limits", "junit", "needs"] {
                if let extra = fields[key] { throw extra.failure("“\(key)” belongs to a gate with run:") }
            }
            guard let schema = fields["schema"] else {
                throw data.failure(
                    "a gate with data: needs a schema:",
                    hints: ["write it like {data: data/train.csv, schema: schemas/train.yaml}"])
            }
            self = .data(DataRule(path: try data.relativePath(), schema: try schema.relativePath()))
        default:
            throw node.failure(
                "a gate is an expression, or has run:, or has data: and schema:",
                hints: ["write it like metrics.auc >= 0.9, or like run: [pytest, -q, tests/model]"])
        }
    }

    /// As it is called in results.
    public var text: String {
        switch self {
        case .expression(let expression): expression.text
        case .command(let command): "run: " + command.words.map(shellQuoted).joined(separator: " ")
        case .data(let rule): "data: \(rule.path) (\(rule.schema))"
        }
    }
}

extension StageSettings.Gate.Command {
    fileprivate init(_ run: YAMLNode, _ fields: [String: YAMLNode]) throws {
        self.init(try run.texts())
        guard let program = words.first, !program.isEmpty else {
            throw run.failure("“run” needs a program", hints: ["write it like run: [pytest, -q, tests/model]"])
        }
        limits = try fields["limits"].map(GateLimits.init) ?? limits
        junit = try fields["junit"]?.relativePath()
        needs = try fields["needs"]?.list().map { try $0.relativePath() }
    }
}
