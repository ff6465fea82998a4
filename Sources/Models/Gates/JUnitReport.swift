internal import Base

/// What a test program has written as JUnit XML: how many tests there were, and which went wrong.
///
/// Counted are the `testcase` elements themselves: the sums that `testsuite` elements carry differ from tool to tool.
struct JUnitReport: Equatable {
    private(set) var tests = 0
    private(set) var skipped = 0
    /// The names of those that failed or ended in an error, in their order.
    private(set) var failed: [String] = []

    /// The largest report that is read, in bytes.
    static let largest: Int64 = 64 << 20

    /// A text that is no report.
    struct Problem: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// Reads a report.
    init(_ bytes: [UInt8]) throws(Problem) {
        var reader = Reader()
        let outcome: Void?
        do {
            outcome = try Expat.parse(bytes) { reader.take($0) }
        } catch {
            throw Problem(description: "line \(error.line): \(error.reason)")
        }
        guard outcome != nil else { throw Problem(description: "libexpat, which reads XML, is not installed") }
        guard reader.isReport else {
            throw Problem(description: "it is no JUnit report: <testsuites> or <testsuite> is its outermost element")
        }
        self = reader.report
    }

    private init() {}

    /// `12 tests, 1 failed: test_x`.
    var summary: String {
        let names = failed.prefix(5).joined(separator: ", ") + (failed.count > 5 ? ", …" : "")
        return "\(tests) test\(tests == 1 ? "" : "s")" + (failed.isEmpty ? "" : ", \(failed.count) failed: \(names)")
            + (skipped == 0 ? "" : ", \(skipped) skipped")
    }

    /// Whether there were tests, and all that ran passed.
    var isPassed: Bool { failed.isEmpty && tests > skipped }

    private struct Reader {
        var report = JUnitReport()
        var isReport = false
        private var isFirst = true
        /// The test that is open, and what has become of it.
        private var open: (name: String, isFailed: Bool, isSkipped: Bool)?

        mutating func take(_ event: Expat.Event) {
            switch event {
            case .start(let name, let attributes):
                if isFirst { isReport = name == "testsuites" || name == "testsuite" }
                isFirst = false
                switch name {
                case "testcase": open = (attributes["name"] ?? attributes["classname"] ?? "?", false, false)
                case "failure", "error": open?.isFailed = true
                case "skipped": open?.isSkipped = true
                default: break
                }
            case .end("testcase"):
                guard let test = open else { return }
                report.tests += 1
                if test.isFailed { report.failed.append(test.name) } else if test.isSkipped { report.skipped += 1 }
                open = nil
            case .end: break
            }
        }
    }
}
