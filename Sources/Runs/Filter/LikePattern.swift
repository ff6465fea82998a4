/// A pattern of `like`: `%` stands for any text, `_` for one character.
///
/// `like` tells capitals from small letters, `ilike` does not, as in MLflow. Texts are compared scalar by scalar.
struct LikePattern: Hashable, Sendable {
    let text: String
    let ignoresCase: Bool
    private let pattern: [Unicode.Scalar]

    init(_ text: String, ignoresCase: Bool) {
        self.text = text
        self.ignoresCase = ignoresCase
        pattern = Array((ignoresCase ? text.lowercased() : text).unicodeScalars)
    }

    func matches(_ text: String) -> Bool {
        let text = Array((ignoresCase ? text.lowercased() : text).unicodeScalars)
        // Greedy: after a failure only the last % takes one character more, so the time is at most one product.
        var (i, j) = (0, 0)
        var retry: (text: Int, pattern: Int)?
        while i < text.count {
            if j < pattern.count, pattern[j] == "%" {
                retry = (i, j + 1)
                j += 1
            } else if j < pattern.count, pattern[j] == "_" || pattern[j] == text[i] {
                i += 1
                j += 1
            } else if let last = retry {
                retry = (last.text + 1, last.pattern)
                (i, j) = (last.text + 1, last.pattern)
            } else {
                return false
            }
        }
        return pattern[j...].allSatisfy { $0 == "%" }
    }
}
