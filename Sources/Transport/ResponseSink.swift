internal import Base
internal import SystemPackage

/// Takes the body of an answer, to memory or to the end of a file.
struct ResponseSink {
    enum Problem: Error {
        case local(String)
        case unacceptable(String)
        case otherLength(String)
        case broken(String)
    }

    /// What of a failure's body is kept.
    private static let failureLimit = 64 << 10
    private static let pieceSize = 256 << 10

    private let target: HTTPRequest.Sink
    private(set) var memory: [UInt8] = []
    private var file: FileDescriptor?
    /// How long the file was before, and what has been written or waits to be.
    private(set) var start: Int64 = 0
    private(set) var length: Int64 = 0
    private var waiting: [UInt8] = []
    private var isOpen = false
    private var toFile = false

    init(_ target: HTTPRequest.Sink) throws(Problem) {
        self.target = target
        guard case .file(let path, let size) = target else { return }
        do {
            let file = try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec],
                permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
            self.file = file
            start = try file.seek(offset: 0, from: .end)
            // More than there should be is no beginning of it.
            if start > size { try empty() }
        } catch {
            throw .local("cannot write \(path): \(error)")
        }
    }

    private mutating func empty() throws {
        guard let file else { return }
        guard ftruncate(file.rawValue, 0) == 0 else { throw Errno(rawValue: errno) }
        start = 0
        length = 0
    }

    /// The header that asks for what the file lacks.
    var range: String? { start > 0 ? "bytes=\(start)-" : nil }

    /// Decides by the head of an answer where its body goes; returns by how much the file became shorter.
    private mutating func open(_ status: Int, _ headers: [String: String]) throws(Problem) -> Int64 {
        isOpen = true
        guard case .file(let path, let size) = target, (200..<300).contains(status) else { return 0 }
        toFile = true
        var lost: Int64 = 0
        // rclone's server sends the part that was asked for as 200.
        if status == 206 || (start > 0 && headers["content-range"] != nil) {
            guard Self.firstByte(headers["content-range"]) == start else {
                throw .unacceptable("the server sent another part than the one asked for")
            }
        } else {
            lost = start
            do { try empty() } catch { throw .local("cannot write \(path): \(error)") }
        }
        if let announced = headers["content-length"].flatMap({ Int64($0) }), start + announced != size {
            throw Self.otherLength(start + announced, size, headers)
        }
        return lost
    }

    private static func otherLength(_ found: Int64, _ wanted: Int64, _ headers: [String: String]) -> Problem {
        if headers["content-type"]?.hasPrefix("text/html") == true {
            return .unacceptable("the answer is a web page, not the content: a proxy's or a login page")
        }
        if let encoding = headers["content-encoding"], encoding != "identity" {
            return .unacceptable("the answer is not the content itself, but packed with \(encoding.prefix(20))")
        }
        return .otherLength("the answer has \(found) bytes instead of \(wanted)")
    }

    private static func firstByte(_ header: String?) -> Int64? {
        guard let header, header.hasPrefix("bytes ") else { return nil }
        return Int64(header.dropFirst(6).prefix { $0 != "-" })
    }

    /// Takes a piece; returns by how much the file has grown, less than nothing when it began anew.
    mutating func take(
        _ piece: UnsafeRawBufferPointer, status: Int, headers: [String: String]
    ) throws(Problem) -> Int64 {
        let lost = isOpen ? 0 : try open(status, headers)
        guard toFile, case .file(let path, let size) = target else {
            try remember(piece, status)
            return 0
        }
        length += Int64(piece.count)
        guard start + length <= size else {
            length -= Int64(piece.count)
            throw .otherLength("the answer has more than \(size) bytes")
        }
        waiting += piece
        if waiting.count >= Self.pieceSize { try write(path) }
        return Int64(piece.count) - lost
    }

    private mutating func remember(_ piece: UnsafeRawBufferPointer, _ status: Int) throws(Problem) {
        if case .memory(let limit) = target, (200..<300).contains(status) {
            guard memory.count + piece.count <= limit else {
                throw .unacceptable("the answer has more than \(limit) bytes")
            }
            memory += piece
        } else {
            memory += piece.prefix(max(0, Self.failureLimit - memory.count))
        }
    }

    private mutating func write(_ path: FilePath) throws(Problem) {
        guard let file, !waiting.isEmpty else { return }
        do {
            try file.writeAll(toAbsoluteOffset: start + length - Int64(waiting.count), waiting)
            waiting.removeAll(keepingCapacity: true)
        } catch {
            throw .local("cannot write \(path): \((error as? Errno)?.description.lowercasedFirst ?? "\(error)")")
        }
    }

    /// Writes what waits, after a failure too, and closes the file; `isWhole` says that the answer has ended.
    mutating func close(status: Int, headers: [String: String], isWhole: Bool) throws(Problem) -> Int64 {
        defer {
            try? file?.close()
            file = nil
        }
        // An answer without a body has not been looked at yet.
        let lost = isWhole && !isOpen ? try open(status, headers) : 0
        guard toFile, case .file(let path, let size) = target else { return -lost }
        try write(path)
        guard !isWhole || start + length == size else {
            throw .broken("the answer ended after \(start + length) of \(size) bytes")
        }
        return -lost
    }
}
