/// Why bytes are not a Protocol Buffers message.
struct ProtobufFailure: Error, Equatable {}

/// Reads the wire format of Protocol Buffers field by field, without a schema.
///
/// Lengths are checked against the bytes that are there, and nothing is copied.
/// - SeeAlso: <https://protobuf.dev/programming-guides/encoding/>
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    /// The next field's number and value; nil at the end.
    mutating func next() throws(ProtobufFailure) -> (field: Int, value: Value)? {
        if rest.isEmpty { return nil }
        let tag = try varint()
        guard let field = Int(exactly: tag >> 3), field > 0, field < 1 << 29 else { throw ProtobufFailure() }
        switch tag & 7 {
        case 0: return (field, .varint(try varint()))
        case 1: return (field, .fixed64(try fixed(8)))
        case 2: return (field, .bytes(try take(varint())))
        case 5: return (field, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        default: throw ProtobufFailure()  // groups are out of use, and no writer of event files has them
        }
    }

    mutating func varint() throws(ProtobufFailure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw ProtobufFailure() }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw ProtobufFailure()
    }

    private mutating func take(_ count: UInt64) throws(ProtobufFailure) -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else { throw ProtobufFailure() }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    /// A little-endian number of so many bytes.
    mutating func fixed(_ count: UInt64) throws(ProtobufFailure) -> UInt64 {
        try take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension ProtobufReader.Value {
    var int: Int64? {
        if case .varint(let value) = self { Int64(bitPattern: value) } else { nil }
    }
    var bytes: ArraySlice<UInt8>? {
        if case .bytes(let value) = self { value } else { nil }
    }
    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
    /// A `double`, or a `float` widened.
    var double: Double? {
        switch self {
        case .fixed64(let bits): Double(bitPattern: bits)
        case .fixed32(let bits): Double(Float(bitPattern: bits))
        default: nil
        }
    }
}
