internal import Base
internal import CurlShim
internal import SystemPackage

/// Bytes that are made while they are sent; any part of them can be made again.
public protocol BodyStream: Sendable {
    /// In bytes.
    var size: Int64 { get }
    /// Fills in the bytes from an offset on; returns how many, at least one before the end.
    ///
    /// It is called from the thread that moves the bytes of all requests, which waits for it.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// Reads a request's body piece by piece, from memory, from a part of a file, or from where it is made.
struct RequestBody {
    /// In bytes; nil when there is none.
    let size: Int64?
    private let bytes: [UInt8]
    private let file: FileDescriptor?
    private let stream: (any BodyStream)?
    private let start: Int64
    private(set) var offset: Int64 = 0

    init(_ body: HTTPClient.Body) throws(Errno) {
        var bytes: [UInt8] = []
        var file: FileDescriptor?
        var stream: (any BodyStream)?
        var start: Int64 = 0
        switch body {
        case .none: size = nil
        case .bytes(let value):
            bytes = value
            size = Int64(value.count)
        case .file(let path):
            let opened = try Self.open(path)
            file = opened.file
            size = opened.size
        case .range(let path, let from, let count):
            let opened = try Self.open(path)
            file = opened.file
            start = from
            size = count
        case .stream(let value, let from, let count):
            stream = value
            start = from
            size = count
        }
        self.stream = stream
        self.bytes = bytes
        self.file = file
        self.start = start
    }

    private static func open(_ path: FilePath) throws(Errno) -> (file: FileDescriptor, size: Int64) {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            return (file, try file.seek(offset: 0, from: .end))
        } catch {
            throw error as? Errno ?? .ioError
        }
    }

    /// Fills in the next piece; nil when the file cannot be read, or has become shorter.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let wanted = min(buffer.count, Int((size ?? 0) - offset))
        if wanted == 0 { return 0 }
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        var count = wanted
        if let file {
            guard let got = try? file.read(fromAbsoluteOffset: start + offset, into: piece), got > 0 else { return nil }
            count = got
        } else if let stream {
            guard let got = try? stream.read(at: start + offset, into: piece), got > 0 else { return nil }
            count = got
        } else {
            bytes.withUnsafeBytes { piece.copyMemory(from: .init(rebasing: $0[Int(offset)..<Int(offset) + wanted])) }
        }
        offset += Int64(count)
        return count
    }

    mutating func seek(to offset: Int64) { self.offset = offset }

    func close() { try? file?.close() }
}
