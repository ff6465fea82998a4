import Base
import GitKit
import SystemPackage
import TestSupport

@testable import Runs

/// Content that is counted and not stored.
let unkept = UnkeptContent()

extension ObjectID {
    /// Some commit, for records that are only looked at.
    static let someCommit = ObjectID.emptyTree
}

extension Repository {
    /// Content that no pointer names, where it lies.
    func keptContent(_ digest: Digest) throws -> [UInt8]? {
        let (hex, rest) = (digest.hex, digest.hex.dropFirst(2))
        return try Files.read(
            mlDirectory.appending("objects").appending(String(hex.prefix(2))).appending(String(rest.prefix(2)))
                .appending(hex))
    }
}

/// Writes TensorBoard's event files, after TensorFlow's descriptions and apart from the reader.
struct EventFile {
    private(set) var bytes: [UInt8] = []
    /// Where each record ends.
    private(set) var ends: [Int] = []

    init() { add(event(time: 1_700_000_000, step: 0, Message().text(3, "brain.Event:2"))) }

    /// Frames a record.
    mutating func add(_ record: [UInt8]) {
        let length = Message.little(UInt64(record.count), 8)
        bytes += length + Message.little(UInt64(CRC32C.masked(length[...])), 4)
        bytes += record + Message.little(UInt64(CRC32C.masked(record[...])), 4)
        ends.append(bytes.count)
    }

    /// Frames what claims to be longer than it is, with a right checksum.
    mutating func addHead(length: UInt64) {
        let head = Message.little(length, 8)
        bytes += head + Message.little(UInt64(CRC32C.masked(head[...])), 4)
    }

    func event(time: Double, step: Int64, _ rest: Message) -> [UInt8] {
        Message().double(1, time).int(2, step).bytes + rest.bytes
    }

    mutating func scalar(_ tag: String, _ value: Float, step: Int64, time: Double? = nil) {
        let summary = Message().message(1, Message().text(1, tag).float(2, value))
        add(event(time: time ?? 1_700_000_000 + Double(step), step: step, Message().message(5, summary)))
    }

    /// As TensorFlow 2 and JAX write scalars; the plugin is named where `isFirst`.
    mutating func tensor(_ tag: String, _ tensor: Message, step: Int64, plugin: String? = "scalars") {
        var value = Message().text(1, tag).message(8, tensor)
        if let plugin { value = value.message(9, Message().message(1, Message().text(1, plugin))) }
        let summary = Message().message(1, value)
        add(event(time: 1_700_000_000 + Double(step), step: step, Message().message(5, summary)))
    }
}

/// A Protocol Buffers message that is being written.
struct Message {
    private(set) var bytes: [UInt8] = []

    static func little(_ value: UInt64, _ count: UInt64) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(truncatingIfNeeded: value) | 0x80] + varint(value >> 7)
    }

    private func adding(_ field: UInt64, _ type: UInt64, _ payload: [UInt8]) -> Message {
        var message = self
        message.bytes += Self.varint(field << 3 | type) + payload
        return message
    }

    func int(_ field: UInt64, _ value: Int64) -> Message { adding(field, 0, Self.varint(UInt64(bitPattern: value))) }
    func double(_ field: UInt64, _ value: Double) -> Message { adding(field, 1, Self.little(value.bitPattern, 8)) }
    func float(_ field: UInt64, _ value: Float) -> Message {
        adding(field, 5, Self.little(UInt64(value.bitPattern), 4))
    }
    func data(_ field: UInt64, _ value: [UInt8]) -> Message {
        adding(field, 2, Self.varint(UInt64(value.count)) + value)
    }
    func text(_ field: UInt64, _ value: String) -> Message { data(field, Array(value.utf8)) }
    func message(_ field: UInt64, _ value: Message) -> Message { data(field, value.bytes) }
}

/// Writes a run of an MLflow file store.
struct MLflowRun {
    var id = "0123456789abcdef0123456789abcdef"
    var status = "3"
    var stage = "active"
    var name = "first"
    var params = ["lr": "0.1"]
    var metrics = ["loss": "1700000000000 0.5 0\n1700000001000 0.25 1\n"]
    var tags: [String: String] = ["mlflow.user": "ann", "owner": "me"]
    var artifacts: [String: String] = [:]

    func write(_ directory: TemporaryDirectory, below experiment: String = "mlruns/7") throws {
        let folder = "\(experiment)/\(id)"
        try directory.write("\(experiment)/meta.yaml", "experiment_id: '7'\nlifecycle_stage: active\nname: churn\n")
        try directory.write(
            "\(folder)/meta.yaml",
            """
            artifact_uri: file:///x
            end_time: 1700000002500
            lifecycle_stage: \(stage)
            run_id: \(id)
            run_name: \(name)
            start_time: 1700000000000
            status: \(status)
            user_id: root

            """)
        for (kind, values) in ["params": params, "metrics": metrics, "tags": tags, "artifacts": artifacts] {
            for (key, value) in values { try directory.write("\(folder)/\(kind)/\(key)", value) }
        }
    }
}
