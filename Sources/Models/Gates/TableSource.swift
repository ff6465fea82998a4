internal import Base
internal import SystemPackage

/// The bytes of a table, wherever they lie.
enum TableSource: Sendable {
    case file(FilePath)
    case bytes([UInt8])

    /// Gives the bytes to `body` in pieces, a byte order mark left out; UTF-16 is an error.
    func read(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var isFirst = true
        func pass(_ piece: UnsafeRawBufferPointer) throws {
            guard isFirst else { return try body(piece) }
            isFirst = false
            if piece.starts(with: [0xff, 0xfe]) || piece.starts(with: [0xfe, 0xff]) {
                throw TableProblem(description: "it is UTF-16: save it as UTF-8")
            }
            let skipped = piece.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
            try body(UnsafeRawBufferPointer(rebasing: piece[skipped...]))
        }
        switch self {
        case .file(let path): try Files.readPieces(of: path) { try pass($0) }
        case .bytes(let bytes): try bytes.withUnsafeBytes { try pass($0) }
        }
    }
}

/// How a table is written, by its file's ending.
enum TableFormat: Sendable, Equatable {
    /// Nil: the delimiter that the header shows.
    case csv(delimiter: UInt8?)
    /// One JSON object a line.
    case jsonLines

    init?(path: String) {
        switch path.lowercased().split(separator: ".").last {
        case "csv": self = .csv(delimiter: nil)
        case "tsv", "tab": self = .csv(delimiter: 0x09)
        case "jsonl", "ndjson": self = .jsonLines
        default: return nil
        }
    }

    /// The delimiter by which most of the known columns are found in the header; without any, that which makes most.
    static func delimiter(of start: UnsafeRawBufferPointer, columns: [String]) -> UInt8 {
        struct Enough: Error {}
        let known = Set(columns)
        var best: (delimiter: UInt8, score: Int) = (UInt8(ascii: ","), -1)
        for delimiter in [",", ";", "\t", "|"].compactMap({ $0.utf8.first }) {
            var score = 0
            var reader = CSVReader(delimiter: delimiter)
            try? reader.take(start) { record, _ in
                score = record.texts.filter { known.contains($0) }.count * 100_000 + record.count
                throw Enough()
            }
            if score > best.score { best = (delimiter, score) }
        }
        return best.delimiter
    }
}

/// How many rows a table has, and which columns.
struct TableShape: Sendable, Equatable {
    var rows: Int64 = 0
    var columns: [String] = []

    /// Reads a whole table; nil when it is none.
    static func read(_ source: TableSource, _ format: TableFormat) -> TableShape? {
        var shape = TableShape()
        do {
            switch format {
            case .csv(let delimiter): try shape.readCSV(source, delimiter)
            case .jsonLines: try shape.readLines(source)
            }
            return shape
        } catch {
            return nil
        }
    }

    private mutating func readCSV(_ source: TableSource, _ delimiter: UInt8?) throws {
        var reader = delimiter.map { CSVReader(delimiter: $0) }
        var header: [String]?
        var rows: Int64 = 0
        let take = { (record: CSVRecord, _: Int) in
            if header == nil { header = record.texts } else { rows += 1 }
        }
        try source.read { piece in
            if reader == nil { reader = CSVReader(delimiter: TableFormat.delimiter(of: piece, columns: [])) }
            try reader?.take(piece, take)
        }
        try reader?.finish(take)
        (self.rows, columns) = (rows, header ?? [])
    }

    private mutating func readLines(_ source: TableSource) throws {
        var splitter = LineSplitter()
        var shape = self
        let take = { (line: ArraySlice<UInt8>, _: Int) in
            shape.rows += 1
            // All lines have what the first has, as far as this looks.
            if shape.rows == 1 { shape.columns = try JSON.parse(Array(line)).members?.map(\.key) ?? [] }
        }
        try source.read { try splitter.take($0, take) }
        try splitter.finish(take)
        self = shape
    }
}

/// Splits bytes into lines that are not blank, numbered from 1 with the blank ones.
struct LineSplitter {
    private var rest: [UInt8] = []
    private var number = 0

    mutating func take(_ piece: UnsafeRawBufferPointer, _ body: (ArraySlice<UInt8>, Int) throws -> Void) throws {
        var start = 0
        while start < piece.count, let base = piece.baseAddress {
            guard let found = memchr(base + start, 0x0a, piece.count - start) else { break }
            let end = UnsafeRawPointer(found) - base
            rest.append(contentsOf: piece[start..<end])
            try finish(body)
            start = end + 1
        }
        guard rest.count + piece.count - start <= CSVReader.longestRecord else {
            throw TableProblem(
                description: "line \(number + 1) is longer than \(ByteCount.format(Int64(CSVReader.longestRecord)))")
        }
        rest.append(contentsOf: piece[start...])
    }

    /// Takes what is left for a line.
    mutating func finish(_ body: (ArraySlice<UInt8>, Int) throws -> Void) throws {
        number += 1
        if rest.contains(where: { $0 > 0x20 }) { try body(rest[...], number) }
        rest.removeAll(keepingCapacity: true)
    }
}
