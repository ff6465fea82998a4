/// Rows in columns, aligned; numbers to the right.
struct Table {
    private let header: [String]
    private var rows: [[String]] = []

    init(_ header: [String]) { self.header = header }

    mutating func add(_ row: [String]) { rows.append(row.map { Terminal.safe($0) }) }

    var isEmpty: Bool { rows.isEmpty }

    /// The lines, header first, without space at their ends.
    func lines() -> [String] {
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        let right = header.indices.map { column in
            rows.allSatisfy { row in
                let text = row[column].hasSuffix("*") ? row[column].dropLast() : row[column][...]
                return text.isEmpty || Double(text) != nil
            }
        }
        func line(_ cells: [String]) -> String {
            var line = ""
            for (i, cell) in cells.enumerated() {
                let space = String(repeating: " ", count: widths[i] - cell.count)
                line += (i > 0 ? "  " : "") + (right[i] ? space + cell : cell + space)
            }
            return line.trimmingEnd
        }
        return [Terminal.heading(line(header))] + rows.map(line)
    }

    func print() { for line in lines() { Swift.print(line) } }
}

extension String {
    fileprivate var trimmingEnd: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
