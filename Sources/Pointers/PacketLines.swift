internal import Base
internal import SystemPackage

/// git's pkt-line framing over two descriptors, buffered both ways.
struct PacketLines {
    /// The most bytes that one packet carries.
    static let maximumPayload = 65_516

    enum Packet {
        case flush
        case data(ArraySlice<UInt8>)
        case end
    }

    private let input: FileDescriptor
    private let output: FileDescriptor
    private var buffer: [UInt8] = []
    private var at = 0
    private var pending: [UInt8] = []

    init(input: FileDescriptor, output: FileDescriptor) {
        self.input = input
        self.output = output
    }

    mutating func read() throws -> Packet {
        guard try fill(4) else { return .end }
        guard let length = Int(String(decoding: buffer[at..<at + 4], as: UTF8.self), radix: 16) else {
            throw FilterFailure("git sent a packet without a length")
        }
        at += 4
        if length == 0 { return .flush }
        guard length >= 4, try fill(length - 4) else { throw FilterFailure("git's packet ends early") }
        defer { at += length - 4 }
        return .data(buffer[at..<at + length - 4])
    }

    /// The texts up to the next flush, or nil at the end of the conversation.
    mutating func readList() throws -> [String]? {
        var list: [String] = []
        while true {
            switch try read() {
            case .end: return list.isEmpty ? nil : list
            case .flush: return list
            case .data(let bytes): list.append(String(decoding: bytes, as: UTF8.self).trimmingTrailingSpace)
            }
        }
    }

    mutating func write(_ text: String) throws { try write(Array((text + "\n").utf8)[...]) }

    mutating func write(_ bytes: ArraySlice<UInt8>) throws {
        var rest = bytes
        while !rest.isEmpty {
            let piece = rest.prefix(Self.maximumPayload)
            let length = String(piece.count + 4, radix: 16)
            pending += (String(repeating: "0", count: 4 - length.count) + length).utf8
            pending += piece
            rest = rest.dropFirst(Self.maximumPayload)
            if pending.count > 1 << 18 { try send() }
        }
    }

    mutating func flush() throws {
        pending += "0000".utf8
        try send()
    }

    private mutating func send() throws {
        _ = try output.writeAll(pending)
        pending.removeAll(keepingCapacity: true)
    }

    /// Makes sure that `count` bytes are in the buffer; false at the end of input before any of them.
    private mutating func fill(_ count: Int) throws -> Bool {
        while buffer.count - at < count {
            if at > 0 {
                buffer.removeSubrange(..<at)
                at = 0
            }
            let old = buffer.count
            buffer.append(contentsOf: repeatElement(0, count: 1 << 18))
            let got = try buffer.withUnsafeMutableBytes { bytes in
                try input.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[old...]))
            }
            buffer.removeSubrange((old + got)...)
            if got == 0 {
                if buffer.isEmpty { return false }
                throw FilterFailure("git closed the pipe in the middle of a packet")
            }
        }
        return true
    }
}

/// A conversation with git that went wrong.
struct FilterFailure: Failure {
    let description: String
    var kind: FailureKind { .internal }

    init(_ description: String) { self.description = description }
}
