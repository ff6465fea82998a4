extension Repository {
    /// The paths of files that differ between two trees or commits, sorted; equal folders are not looked into.
    public func changedPaths(from old: ObjectID, to new: ObjectID) throws -> [String] {
        var paths: [String] = []
        try compare(old, new, below: "", &paths)
        return paths.sorted()
    }

    private func compare(_ old: ObjectID?, _ new: ObjectID?, below: String, _ paths: inout [String]) throws {
        guard old != new else { return }
        let before = Dictionary((try old.map { try tree($0).entries } ?? []).map { ($0.name, $0) }) { $1 }
        let after = Dictionary((try new.map { try tree($0).entries } ?? []).map { ($0.name, $0) }) { $1 }
        for name in Set(before.keys).union(after.keys) {
            let (a, b) = (before[name], after[name])
            if a?.id == b?.id, a?.mode == b?.mode { continue }
            let folders = [a, b].map { $0?.mode == .directory ? $0?.id : nil }
            if folders[0] != nil || folders[1] != nil {
                try compare(folders[0], folders[1], below: below + name + "/", &paths)
            }
            if let a, a.mode != .directory { paths.append(below + name) }
            if let b, b.mode != .directory, a == nil || a?.mode == .directory { paths.append(below + name) }
        }
    }
}
