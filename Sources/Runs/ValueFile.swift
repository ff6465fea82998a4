public import Base
internal import GitKit
internal import TOMLKit

/// A file of parameters or metrics that could not be read.
public struct ValueFileFailure: Failure {
    public let path: String
    public let reason: String

    public var kind: FailureKind { .user }
    public var description: String { "\(path): \(reason)" }
    public var hints: [String] { ["mend the file and commit again; nothing of it was recorded"] }
}

/// Files of parameters and metrics: YAML, JSON or TOML by their ending; nested keys become dotted ones.
public enum ValueFile {
    /// The values of a file as texts, by dotted key: `model.depth` → `4`.
    ///
    /// Items of a list are numbered from 0.
    public static func read(_ bytes: [UInt8], path: String) throws -> [String: JSON] {
        let text = String(decoding: bytes, as: UTF8.self)
        let value: JSON
        do {
            if path.hasSuffix(".json") {
                value = try JSON.parse(text)
            } else if path.hasSuffix(".toml") {
                value = try JSON.parse(TOMLTable(string: text).convert(to: .json))
            } else {
                value = try YAMLNode.parse(text, file: path).json
            }
        } catch let error as YAMLFailure {
            throw error
        } catch {
            throw ValueFileFailure(path: path, reason: "\(error)")
        }
        guard value.members != nil else {
            throw ValueFileFailure(path: path, reason: "it must hold keys and values, not a single value or a list")
        }
        return flat(value)
    }

    /// The values inside an object, by dotted key.
    static func flat(_ value: JSON) -> [String: JSON] {
        var flat: [String: JSON] = [:]
        flatten(value, key: "", into: &flat)
        return flat
    }

    /// The values of several files of a commit together, later files first; files that are not there are passed over.
    ///
    /// `complain` is told of a file that cannot be read; the others count all the same.
    static func read(
        _ paths: [String], in commit: ObjectID, of repository: Repository, complain: (any Error) -> Void
    ) throws -> [String: JSON] {
        var all: [String: JSON] = [:]
        for path in paths {
            guard let bytes = try repository.file(path, in: commit) else { continue }
            do {
                var values = try read(bytes, path: path)
                // DVCLive's counter of steps is no metric.
                if path == DVCLive.metricsPath { values["step"] = nil }
                all.merge(values) { $1 }
            } catch {
                complain(error)
            }
        }
        return all
    }

    /// Parameters are kept as texts, as MLflow keeps them.
    public static func params(_ values: [String: JSON]) -> [String: String] {
        values.compactMapValues { $0 == .null ? "" : $0.string ?? $0.description }
    }

    /// Metrics are numbers; true and false count as 1 and 0, everything else is left out.
    public static func metrics(_ values: [String: JSON]) -> [String: Double] {
        values.compactMapValues { $0.double ?? $0.bool.map { $0 ? 1 : 0 } }
    }

    private static func flatten(_ value: JSON, key: String, into flat: inout [String: JSON]) {
        func join(_ part: String) -> String { key.isEmpty ? part : "\(key).\(part)" }
        switch value {
        case .object(let members): for member in members { flatten(member.value, key: join(member.key), into: &flat) }
        case .array(let items):
            for (i, item) in items.enumerated() { flatten(item, key: join(String(i)), into: &flat) }
        default: flat[key] = value
        }
    }
}
