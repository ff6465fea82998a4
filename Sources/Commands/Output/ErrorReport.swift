internal import Base

/// An error as people and scripts read it, on standard error.
struct ErrorReport {
    private let failure: any Failure

    init(_ failure: any Failure) { self.failure = failure }

    private var causes: [String] {
        var causes: [String] = []
        var next = failure.cause
        while let cause = next {
            causes.append("\(cause)")
            next = (cause as? any Failure)?.cause
        }
        return causes
    }

    func print() {
        let words = CommandLine.arguments.prefix { $0 != "--" }
        if words.contains("--json") {
            let json: JSON = [
                "error": .string(failure.description), "kind": .string(failure.kind.rawValue),
                "causes": .array(causes.map { .string($0) }), "hints": .array(failure.hints.map { .string($0) }),
            ]
            return Terminal.error("\(json)")
        }
        Terminal.error("\(Terminal.red("error:")) \(failure.description)")
        for cause in causes { Terminal.error("caused by: \(cause)") }
        for hint in failure.hints { Terminal.error("\(Terminal.bold("hint:")) \(hint)") }
    }
}
