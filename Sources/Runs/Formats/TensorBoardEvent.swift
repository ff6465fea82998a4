internal import Base

/// One `Event` of TensorBoard, as far as runs are concerned.
///
/// - SeeAlso: TensorFlow's `event.proto`, `summary.proto` and `tensor.proto`; TensorBoard's `hparams/plugin_data.proto`
struct TensorBoardEvent {
    /// One value of a summary.
    struct Value {
        var tag = ""
        /// The plugin that shows it, where the event says so.
        var plugin: String?
        var pluginContent: ArraySlice<UInt8> = []
        /// `simple_value`: always a scalar.
        var simple: Double?
        /// The one number of a tensor with one element.
        var tensor: Double?
    }

    /// Seconds since 1970.
    var time = 0.0
    var step: Int64 = 0
    var values: [Value] = []
    /// A writer went on from here after a crash: what had been written of this step and later counts no more.
    var isRestart = false

    init(_ bytes: ArraySlice<UInt8>) throws(ProtobufFailure) {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: time = value.double ?? 0
            case 2: step = value.int ?? 0
            case 5: values += try Self.summary(value.bytes ?? [])
            case 7: isRestart = try Self.first(1, in: value.bytes ?? [])?.int == 1
            default: break
            }
        }
    }

    private static func summary(_ bytes: ArraySlice<UInt8>) throws(ProtobufFailure) -> [Value] {
        var values: [Value] = []
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            if field == 1, let bytes = value.bytes { values.append(try Value(bytes)) }
        }
        return values
    }

    /// The first field of that number in a message.
    static func first(_ field: Int, in bytes: ArraySlice<UInt8>) throws(ProtobufFailure) -> ProtobufReader.Value? {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            if number == field { return value }
        }
        return nil
    }
}

extension TensorBoardEvent.Value {
    init(_ bytes: ArraySlice<UInt8>) throws(ProtobufFailure) {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: tag = value.text ?? ""
            case 2: simple = value.double
            case 8: tensor = try Self.number(of: value.bytes ?? [])
            case 9:
                guard let data = try TensorBoardEvent.first(1, in: value.bytes ?? [])?.bytes else { continue }
                plugin = try TensorBoardEvent.first(1, in: data)?.text
                pluginContent = try TensorBoardEvent.first(2, in: data)?.bytes ?? []
            default: break
            }
        }
    }

    /// The number in a `TensorProto` of one element; nil for other shapes and types.
    private static func number(of bytes: ArraySlice<UInt8>) throws(ProtobufFailure) -> Double? {
        var type: Int64 = 0
        var content: ArraySlice<UInt8>?
        var numbers: [Double] = []
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: type = value.int ?? 0
            case 4: content = value.bytes
            case 5, 6, 7, 10, 11:
                guard let packed = value.bytes else {
                    numbers += [value.double ?? value.int.map { Double($0) } ?? 0]
                    continue
                }
                if packed.count > 16 { return nil }
                numbers += try elements(packed, field: field)
            default: break
            }
        }
        if let content, !content.isEmpty { return scalar(content, type: type) }
        return numbers.count == 1 ? numbers[0] : nil
    }

    private static func elements(_ packed: ArraySlice<UInt8>, field: Int) throws(ProtobufFailure) -> [Double] {
        var numbers: [Double] = []
        var reader = ProtobufReader(packed)
        while !reader.isAtEnd {
            switch field {
            case 5: numbers.append(Double(Float(bitPattern: UInt32(truncatingIfNeeded: try reader.fixed(4)))))
            case 6: numbers.append(Double(bitPattern: try reader.fixed(8)))
            default: numbers.append(Double(Int64(bitPattern: try reader.varint())))
            }
        }
        return numbers
    }

    /// A number in little-endian memory form, by TensorFlow's `DataType`.
    private static func scalar(_ bytes: ArraySlice<UInt8>, type: Int64) -> Double? {
        let bits = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch (type, bytes.count) {
        case (1, 4): return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
        case (2, 8): return Double(bitPattern: bits)
        case (3, 4): return Double(Int32(truncatingIfNeeded: bits))
        case (9, 8): return Double(Int64(bitPattern: bits))
        case (14, 2): return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits << 16)))  // bfloat16
        default: return nil
        }
    }
}

/// What the hparams plugin writes at the start and the end of a session.
enum HyperParameters {
    /// The hyperparameters of a session's start, as texts; nil when the message is none.
    static func start(_ content: ArraySlice<UInt8>) throws(ProtobufFailure) -> [String: String]? {
        guard let info = try TensorBoardEvent.first(3, in: content)?.bytes else { return nil }
        var params: [String: String] = [:]
        var reader = ProtobufReader(info)
        while let (field, value) = try reader.next() {
            guard field == 1, let entry = value.bytes, let key = try TensorBoardEvent.first(1, in: entry)?.text else {
                continue
            }
            params[key] = try TensorBoardEvent.first(2, in: entry)?.bytes.map(text) ?? ""
        }
        return params
    }

    /// How a session ended; nil when the message does not say, or it goes on.
    static func end(_ content: ArraySlice<UInt8>) throws(ProtobufFailure) -> RunRecord.End.Status? {
        guard let info = try TensorBoardEvent.first(4, in: content)?.bytes else { return nil }
        switch try TensorBoardEvent.first(1, in: info)?.int {
        case 1: return .finished
        case 2: return .failed
        default: return nil
        }
    }

    /// A `google.protobuf.Value` as a parameter; whole numbers lose the point that the format gives them.
    private static func text(_ value: ArraySlice<UInt8>) throws(ProtobufFailure) -> String {
        var reader = ProtobufReader(value)
        guard let (field, value) = try reader.next() else { return "" }
        switch field {
        case 2:
            let number = value.double ?? 0
            if number.rounded() == number, number.magnitude < 1e15 { return String(Int64(number)) }
            return number.description
        case 3: return value.text ?? ""
        case 4: return value.int == 0 ? "false" : "true"
        default: return ""
        }
    }
}
