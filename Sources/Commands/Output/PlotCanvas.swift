/// A grid of characters that curves are drawn on.
///
/// In braille a character holds 2 × 4 dots; else it is one mark, a different one for each curve.
struct PlotCanvas {
    private static let marks = Array("*+xo#@%&")
    /// The bits of a braille character, by row and column of its dots.
    private static let dots: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

    let columns: Int
    let rows: Int
    private let isBraille: Bool
    private var cells: [UInt32]
    private var owners: [Int?]

    init(columns: Int, rows: Int, isBraille: Bool) {
        self.columns = columns
        self.rows = rows
        self.isBraille = isBraille
        cells = Array(repeating: 0, count: columns * rows)
        owners = Array(repeating: nil, count: columns * rows)
    }

    /// The character that stands for a curve in the legend.
    static func mark(_ curve: Int, isBraille: Bool) -> String { isBraille ? "⠒" : String(marks[curve % marks.count]) }

    /// The row that a position on the y axis (0 bottom, 1 top) lies in.
    func row(_ position: Double) -> Int { dot(0, position).y / (isBraille ? 4 : 1) }

    /// The column that a position on the x axis lies in.
    func column(_ position: Double) -> Int { dot(position, 0).x / (isBraille ? 2 : 1) }

    private func dot(_ x: Double, _ y: Double) -> (x: Int, y: Int) {
        let (width, height) = isBraille ? (columns * 2, rows * 4) : (columns, rows)
        return (Int((x * Double(width - 1)).rounded()), Int(((1 - y) * Double(height - 1)).rounded()))
    }

    /// Draws a point that no line leads to.
    mutating func draw(_ point: (x: Double, y: Double), as curve: Int) {
        let place = dot(point.x, point.y)
        set(place.x, place.y, curve)
    }

    /// Draws a curve's stretch, straight from point to point.
    mutating func draw(_ stretch: [(x: Double, y: Double)], as curve: Int) {
        var last: (x: Int, y: Int)?
        for point in stretch {
            let next = dot(point.x, point.y)
            if let last { line(from: last, to: next, curve) } else { set(next.x, next.y, curve) }
            last = next
        }
    }

    /// Bresenham's line.
    private mutating func line(from start: (x: Int, y: Int), to end: (x: Int, y: Int), _ curve: Int) {
        let (width, height) = (abs(end.x - start.x), -abs(end.y - start.y))
        let (right, down) = (start.x < end.x ? 1 : -1, start.y < end.y ? 1 : -1)
        var (x, y, error) = (start.x, start.y, width + height)
        while true {
            set(x, y, curve)
            if x == end.x, y == end.y { return }
            let twice = 2 * error
            if twice >= height {
                error += height
                x += right
            }
            if twice <= width {
                error += width
                y += down
            }
        }
    }

    private mutating func set(_ x: Int, _ y: Int, _ curve: Int) {
        let cell = isBraille ? y / 4 * columns + x / 2 : y * columns + x
        cells[cell] |= isBraille ? Self.dots[y % 4][x % 2] : 1
        owners[cell] = curve
    }

    /// One row; `colour` paints what belongs to a curve.
    func line(_ row: Int, colour: (String, Int) -> String) -> String {
        var text = ""
        for column in 0..<columns {
            let cell = row * columns + column
            guard let owner = owners[cell] else {
                text += " "
                continue
            }
            let braille = Unicode.Scalar(0x2800 + cells[cell]).map { String($0) } ?? " "
            text += colour(isBraille ? braille : Self.mark(owner, isBraille: false), owner)
        }
        return text
    }
}
