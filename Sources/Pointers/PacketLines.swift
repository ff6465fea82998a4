internal import Base
internal import SystemPackage

/// git's pkt-line framing over two descriptors, buffered both ways.
final class PacketLines {
    /// The most bytes that one packet carries.
    static let maximumPayload = 65_516

    enum Packet {
        case flush
        /// Valid until the next read.
        case data(UnsafeRawBufferPointer)
        case end
    }

    private let input: FileDescriptor
    private let output: FileDescriptor
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    private var at = 0
    private var filled = 0
    private var pending: [UInt8] = []

    init(input: FileDescriptor, output: FileDescriptor) {
        self.input = input
        self.output = output
        #if os(Linux)
        // A pipe of 1 MiB: fewer changes between git and us. Refused where the user has many pipes; no matter.
        for pipe in [input, output] { _ = fcntl(pipe.rawValue, 1031, 1 << 20) }
        #endif
    }

    deinit { buffer.deallocate() }

    // MARK: Reading

    func read() throws -> Packet {
        guard try fill(4) else { return .end }
        var length = 0
        for byte in buffer[at..<at + 4] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw FilterFailure("git sent a packet without a length")
            }
            length = length << 4 | digit
        }
        at += 4
        if length == 0 { return .flush }
        if length == 4 { return try read() }
        guard length >= 4, length - 4 <= Self.maximumPayload, try fill(length - 4) else {
            throw FilterFailure("git's packet ends early")
        }
        defer { at += length - 4 }
        return .data(UnsafeRawBufferPointer(rebasing: buffer[at..<at + length - 4]))
    }

    /// The lines up to the next flush without their ends, or nil at the end of the conversation.
    func readList() throws -> [[UInt8]]? {
        var list: [[UInt8]] = []
        while true {
            switch try read() {
            case .end: return list.isEmpty ? nil : list
            case .flush: return list
            case .data(let bytes):
                // One end of line is the packet's; a name may have more of its own.
                list.append(Array(bytes.last == 0x0a ? bytes.dropLast() : bytes[...]))
            }
        }
    }

    /// Whether git says something, or has closed the pipe, within a time.
    func isReady(within milliseconds: Int32) -> Bool {
        if filled > at { return true }
        var request = pollfd(fd: input.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, milliseconds) != 0
    }

    /// Makes sure that `count` bytes are in the buffer; false at the end of input before any of them.
    private func fill(_ count: Int) throws -> Bool {
        while filled - at < count {
            if at > 0, at + max(count, 1 << 16) > buffer.count || at == filled {
                let rest = filled - at
                if rest > 0, let base = buffer.baseAddress { memmove(base, base + at, rest) }
                (at, filled) = (0, rest)
            }
            let got = try input.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            filled += got
            if got == 0 {
                if filled == at { return false }
                throw FilterFailure("git closed the pipe in the middle of a packet")
            }
        }
        return true
    }

    // MARK: Writing

    func write(_ text: String) throws { try write(Array((text + "\n").utf8)) }

    func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Self.maximumPayload)
            let length = String(piece.count + 4, radix: 16)
            pending += (String(repeating: "0", count: 4 - length.count) + length).utf8
            pending.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece))
            rest = rest.dropFirst(Self.maximumPayload)
            if pending.count > 1 << 19 { try send() }
        }
    }

    func flush() throws {
        pending += "0000".utf8
        try send()
    }

    private func send() throws {
        _ = try output.writeAll(pending)
        pending.removeAll(keepingCapacity: true)
    }
}

/// A conversation with git that went wrong.
struct FilterFailure: Failure {
    let description: String
    var kind: FailureKind { .internal }

    init(_ description: String) { self.description = description }
}
