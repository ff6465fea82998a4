/// An order of runs, in memory and as SQL: what is missing comes last, whichever way the rest goes.
///
/// Parameters and tags that are numbers come first, by their number. Equal runs stand latest start first.
struct RunOrder {
    private struct Key {
        let operand: FilterOperand
        let isDescending: Bool
    }

    private let keys: [Key]

    init(_ keys: [RunQuery.SortKey]) throws {
        self.keys = try keys.map { Key(operand: try FilterOperand.read(key: $0.key), isDescending: $0.isDescending) }
    }

    func precedes(_ a: Run, _ b: Run) -> Bool {
        for key in keys {
            if key.operand.kind != .text,
                let isBefore = Self.compare(
                    a.number(key.operand), b.number(key.operand), key.isDescending)
            {
                return isBefore
            }
            guard [.text, .flexible].contains(key.operand.kind) else { continue }
            let texts = (a.text(key.operand).map(ByteText.init), b.text(key.operand).map(ByteText.init))
            if let isBefore = Self.compare(texts.0, texts.1, key.isDescending) { return isBefore }
        }
        return (a.started, a.id) > (b.started, b.id)
    }

    /// Nil when they are equal.
    private static func compare<T: Comparable>(_ a: T?, _ b: T?, _ isDescending: Bool) -> Bool? {
        switch (a, b) {
        case (nil, nil): nil
        case (nil, _): false
        case (_, nil): true
        case (let a?, let b?): a == b ? nil : isDescending ? a > b : a < b
        }
    }

    func sql(_ nameID: (String) throws -> Int64?) throws -> String {
        var terms: [String] = []
        for key in keys {
            let direction = key.isDescending ? " DESC NULLS LAST" : " NULLS LAST"
            if key.operand.kind != .text {
                terms.append(try FilterSQL.column(key.operand, asNumber: true, nameID) + direction)
            }
            if [.text, .flexible].contains(key.operand.kind) {
                terms.append(try FilterSQL.column(key.operand, asNumber: false, nameID) + direction)
            }
        }
        return (terms + ["r.started DESC", "r.run DESC"]).joined(separator: ", ")
    }
}
