internal import Base

/// One record of a CSV file: its cells, unquoted, one behind the other.
struct CSVRecord {
    fileprivate(set) var bytes: [UInt8] = []
    /// Where each cell ends.
    fileprivate(set) var ends: [Int] = []
    /// Whether a cell was quoted: an empty line is no record, `""` is one.
    fileprivate(set) var hasQuotes = false

    var count: Int { ends.count }

    /// The bytes of a cell.
    subscript(_ i: Int) -> ArraySlice<UInt8> { bytes[(i == 0 ? 0 : ends[i - 1])..<ends[i]] }

    /// The cells as texts, wrong UTF-8 replaced.
    var texts: [String] { ends.indices.map { String(decoding: self[$0], as: UTF8.self) } }

    fileprivate mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        hasQuotes = false
    }
}

/// A file that cannot be read as a table at all.
struct TableProblem: Error, Equatable, CustomStringConvertible {
    let description: String
}

/// Reads CSV piece by piece: RFC 4180, with any of CRLF, LF and CR as line ends, and quoted cells that hold line ends.
///
/// Memory is that of one record.
struct CSVReader {
    /// A record of more bytes is taken for one whose closing quote is missing.
    static let longestRecord = 16 << 20

    private enum State { case start, plain, quoted, quoteInQuoted }

    let delimiter: UInt8
    private var state = State.start
    private var record = CSVRecord()
    private var skipsNewline = false
    /// Records so far, blank lines with them: the first is 1.
    private(set) var row = 0

    init(delimiter: UInt8) { self.delimiter = delimiter }

    /// Takes in the next bytes; `body` is given each record that ends in them, and its number.
    mutating func take(_ piece: UnsafeRawBufferPointer, _ body: (CSVRecord, Int) throws -> Void) throws {
        var i = 0
        while i < piece.count {
            if skipsNewline {
                skipsNewline = false
                if piece[i] == 0x0a {
                    i += 1
                    continue
                }
            }
            switch state {
            case .start where piece[i] == UInt8(ascii: "\""):
                state = .quoted
                record.hasQuotes = true
                i += 1
            case .start, .plain: try takePlain(piece, &i, body)
            case .quoted: try takeQuoted(piece, &i)
            case .quoteInQuoted:
                if piece[i] == UInt8(ascii: "\"") {
                    record.bytes.append(piece[i])
                    state = .quoted
                    i += 1
                } else {
                    state = .plain
                }
            }
        }
    }

    /// Takes in the end of the file.
    mutating func finish(_ body: (CSVRecord, Int) throws -> Void) throws {
        if state == .quoted { throw TableProblem(description: "row \(row + 1): a quote is not closed") }
        if state != .start || !record.ends.isEmpty { try endRecord(body) }
    }

    private mutating func takePlain(
        _ piece: UnsafeRawBufferPointer, _ i: inout Int, _ body: (CSVRecord, Int) throws -> Void
    ) throws {
        var end = i
        while end < piece.count, piece[end] != delimiter, piece[end] != 0x0a, piece[end] != 0x0d { end += 1 }
        if end > i {
            try append(piece[i..<end])
            state = .plain
        }
        i = end + 1
        guard end < piece.count else {
            i = end
            return
        }
        if piece[end] == delimiter {
            record.ends.append(record.bytes.count)
            state = .start
        } else {
            skipsNewline = piece[end] == 0x0d
            try endRecord(body)
        }
    }

    private mutating func takeQuoted(_ piece: UnsafeRawBufferPointer, _ i: inout Int) throws {
        var end = i
        while end < piece.count, piece[end] != UInt8(ascii: "\"") { end += 1 }
        try append(piece[i..<end])
        i = end
        guard end < piece.count else { return }
        state = .quoteInQuoted
        i += 1
    }

    private mutating func append(_ bytes: Slice<UnsafeRawBufferPointer>) throws {
        guard record.bytes.count + bytes.count <= Self.longestRecord else {
            let limit = ByteCount.format(Int64(Self.longestRecord))
            throw TableProblem(description: "row \(row + 1) is longer than \(limit): is a quote not closed?")
        }
        record.bytes.append(contentsOf: bytes)
    }

    private mutating func endRecord(_ body: (CSVRecord, Int) throws -> Void) throws {
        row += 1
        state = .start
        record.ends.append(record.bytes.count)
        // A blank line.
        if record.ends.count > 1 || !record.bytes.isEmpty || record.hasQuotes { try body(record, row) }
        record.clear()
    }
}
