internal import GitKit

/// A line of `git ls-files -s -z` or of `git ls-tree -r -z`.
struct ListedEntry {
    /// git's, in octal.
    let mode: String
    let id: ObjectID
    /// 0 but for the sides of a conflict.
    let stage: Int
    let path: RepositoryPath

    /// Neither a link nor a submodule.
    var isFile: Bool { mode.hasPrefix("100") }
    var isExecutable: Bool { mode == "100755" }
    /// For people, and for patterns.
    var name: String { String(decoding: path, as: UTF8.self) }

    /// Reads the output of either command.
    static func parse(_ output: [UInt8]) -> [ListedEntry] {
        // mode SP id SP stage TAB path NUL, or: mode SP kind SP id TAB path NUL
        output.split(separator: 0).compactMap { record in
            guard let tab = record.firstIndex(of: 0x09) else { return nil }
            let words = String(decoding: record[..<tab], as: UTF8.self).split(separator: " ")
            guard words.count == 3 else { return nil }
            let path = Array(record[(tab + 1)...])
            if let id = ObjectID(words[1]) {
                return ListedEntry(mode: String(words[0]), id: id, stage: Int(words[2]) ?? 0, path: path)
            }
            return ObjectID(words[2]).map { ListedEntry(mode: String(words[0]), id: $0, stage: 0, path: path) }
        }
    }
}
