/// Gzip made of stored blocks only: every reader takes it, its bytes can never change with a library, and any part of it can
/// be made without what stands before.
///
/// A model hardly shrinks, and deflating it would cost thirty times the hashing (RFC 1951, 3.2.4; RFC 1952).
public struct StoredGzip: Sendable {
    /// What a stored block can hold.
    static let blockSize: Int64 = 65_535
    /// Every gzip file that we make begins with it: no name, no time, unknown system, nothing that could differ.
    static let head: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
    private static let overhead: Int64 = 5

    /// Of what is inside, in bytes.
    public let contentSize: Int64

    public init(contentSize: Int64) { self.contentSize = contentSize }

    /// Content that fills its last block is followed by an empty one.
    private var blockCount: Int64 { contentSize / Self.blockSize + 1 }
    private var bodySize: Int64 { Self.overhead * blockCount + contentSize }

    /// Of the whole file, in bytes.
    public var size: Int64 { Int64(Self.head.count) + bodySize + 8 }

    private func blockHead(_ index: Int64) -> [UInt8] {
        let isLast = index == blockCount - 1
        let length = UInt16(isLast ? contentSize % Self.blockSize : Self.blockSize)
        return [isLast ? 1 : 0, UInt8(length & 0xff), UInt8(length >> 8), UInt8(~length & 0xff), UInt8(~length >> 8)]
    }

    /// Checksum (as ``CRC32`` leaves it, not yet inverted) and size, the last eight bytes.
    static func tail(crc: UInt32, contentSize: Int64) -> [UInt8] {
        [~crc, UInt32(truncatingIfNeeded: contentSize)].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
    }

    // MARK: From front to back

    /// Makes the file from its content, given in pieces of any size.
    public struct Writer {
        private let form: StoredGzip
        private var position: Int64 = 0
        /// Not yet inverted.
        public private(set) var crc = CRC32.start

        public init(contentSize: Int64) { form = StoredGzip(contentSize: contentSize) }

        /// Takes the next bytes of the content and gives what they become to `emit`, without copying them.
        public mutating func append(
            _ piece: UnsafeRawBufferPointer, _ emit: (UnsafeRawBufferPointer) throws -> Void
        ) rethrows {
            crc = CRC32.update(crc, piece)
            var rest = piece[...]
            while !rest.isEmpty {
                if position == 0 { try StoredGzip.head.withUnsafeBytes { try emit($0) } }
                let inBlock = position % StoredGzip.blockSize
                if inBlock == 0 {
                    try form.blockHead(position / StoredGzip.blockSize).withUnsafeBytes { try emit($0) }
                }
                let part = rest.prefix(Int(StoredGzip.blockSize - inBlock))
                try emit(UnsafeRawBufferPointer(rebasing: part))
                position += Int64(part.count)
                rest = rest.dropFirst(part.count)
            }
        }

        /// Ends the file.
        public mutating func finish(_ emit: (UnsafeRawBufferPointer) throws -> Void) rethrows {
            var end: [UInt8] = position == 0 ? StoredGzip.head : []
            if position % StoredGzip.blockSize == 0 { end += form.blockHead(position / StoredGzip.blockSize) }
            end += StoredGzip.tail(crc: crc, contentSize: position)
            try end.withUnsafeBytes { try emit($0) }
        }
    }

    // MARK: From anywhere

    /// Fills in the file's bytes from an offset on; returns how many.
    ///
    /// `crc` is the one that ``Writer`` ended with. `content` fills in bytes of the content from an offset on, at least one.
    public func read(
        at offset: Int64, into buffer: UnsafeMutableRawBufferPointer, crc: UInt32,
        content: (Int64, UnsafeMutableRawBufferPointer) throws -> Int
    ) rethrows -> Int {
        var filled = 0
        func copy(_ bytes: [UInt8], from start: Int64) {
            let part = bytes[Int(start)...].prefix(buffer.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + part.count]).copyBytes(from: part)
            filled += part.count
        }
        while filled < buffer.count {
            let at = offset + Int64(filled)
            let body = at - Int64(Self.head.count)
            if body < 0 {
                copy(Self.head, from: at)
            } else if body >= bodySize {
                guard body < bodySize + 8 else { break }
                copy(Self.tail(crc: crc, contentSize: contentSize), from: body - bodySize)
            } else {
                let (index, inside) = body.quotientAndRemainder(dividingBy: Self.blockSize + Self.overhead)
                if inside < Self.overhead {
                    copy(blockHead(index), from: inside)
                } else {
                    let start = index * Self.blockSize + inside - Self.overhead
                    let end = min(contentSize, (index + 1) * Self.blockSize)
                    let count = Int(min(Int64(buffer.count - filled), end - start))
                    let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count])
                    let got = try content(start, room)
                    if got == 0 { break }
                    filled += got
                }
            }
        }
        return filled
    }
}
