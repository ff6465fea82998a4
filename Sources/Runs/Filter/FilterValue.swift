internal import Base

/// A value that a filter compares; nil stands for what is missing or not to be compared (SQL's NULL).
enum FilterValue: Hashable, Sendable {
    case number(Double)
    case text(String)

    /// The number that a parameter or tag holds as a text; nil when it is none.
    ///
    /// NaN is none: it compares with nothing.
    static func number(_ text: String) -> Double? {
        guard let first = text.utf8.first, first < 58 || first == UInt8(ascii: "i") || first == UInt8(ascii: "I"),
            let value = Double(text), !value.isNaN
        else { return nil }
        return value
    }
}
