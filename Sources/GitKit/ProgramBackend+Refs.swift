internal import Base

extension ProgramBackend {
    func ref(_ name: String) throws -> ObjectID? {
        // `rev-parse` would also find `refs/heads/refs/x` when asked for a `refs/x` that is not there.
        if name.hasPrefix("refs/") { return try list(name).first { $0.name == name }?.target }
        let result = try attempt(["rev-parse", "--verify", "--quiet", "--end-of-options", name])
        guard result.status == 0 else {
            if result.errors.isEmpty { return nil }
            throw Self.failure("read \(name)", result)
        }
        return ObjectID(result.trimmed)
    }

    func refs(below prefix: String) throws -> [Ref] {
        let folder = prefix.lastIndex(of: "/").map { prefix[...$0] } ?? ""
        return try list(String(folder), isSymbolic: false).filter { $0.name.hasPrefix(prefix) }
    }

    /// What git lists for a pattern: a ref of that name, or those in a folder of that name.
    private func list(_ pattern: String, isSymbolic: Bool? = nil) throws -> [Ref] {
        let result = try run(
            "list \(pattern)",
            ["for-each-ref", "--format=%(objectname) %(refname)%00%(symref)"] + (pattern.isEmpty ? [] : [pattern]))
        return result.text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\0", omittingEmptySubsequences: false)
            if let isSymbolic, isSymbolic == (parts.count < 2 || parts[1].isEmpty) { return nil }
            guard let space = parts[0].firstIndex(of: " "), let id = ObjectID(parts[0][..<space]) else { return nil }
            return Ref(name: String(parts[0][parts[0].index(after: space)...]), target: id)
        }
    }

    func update(_ name: String, from old: ObjectID?, to new: ObjectID, reason: String) throws {
        let result = try attempt(
            Self.durably + ["update-ref", "--no-deref", "-m", reason, name, new.hex, old?.hex ?? place.format.zero])
        if result.status == 0 { return }
        if result.errors.contains("File exists") { throw place.locked(name) }
        let lost = ["but expected", "already exists", "unable to resolve reference"]
        guard lost.contains(where: result.errors.contains) else { throw Self.failure("move \(name)", result) }
        throw GitFailure.moved(ref: name)
    }

    func headBranch() throws -> String? {
        let result = try attempt(["symbolic-ref", "--quiet", "HEAD"])
        guard result.status == 0 else {
            if result.status == 1 { return nil }
            throw Self.failure("read HEAD", result)
        }
        return result.trimmed
    }

    func resolve(_ revision: String) throws -> ObjectID {
        try flush()
        func ask(_ text: String) throws -> ObjectID? {
            let result = try attempt(["rev-parse", "--verify", "--quiet", "--end-of-options", text])
            return result.status == 0 ? ObjectID(result.trimmed) : nil
        }
        // What comes after `:/text` is part of the text.
        let start = revision.hasPrefix(":") ? try ask(revision)?.hex : revision
        guard let start, let id = try ask(start + "^{commit}") else { throw GitFailure.unknownRevision(revision) }
        return id
    }

    // MARK: History

    func history(
        from starts: [ObjectID], hiding hidden: [ObjectID], order: HistoryOrder, _ body: (ObjectID) throws -> Bool
    ) throws {
        try flush()
        if starts.isEmpty { return }
        let known = try hidden.filter { try header($0) != nil }
        let input = (starts.map(\.hex) + known.map { "^" + $0.hex }).joined(separator: "\n") + "\n"
        let options = order == .topological ? ["--date-order"] : []
        let result = try run("walk the history", ["rev-list"] + options + ["--stdin"], input: Array(input.utf8))
        for line in result.output.split(separator: 0x0a) {
            guard let id = ObjectID(String(decoding: line, as: UTF8.self)) else { continue }
            if try !body(id) { return }
        }
    }

    func isAncestor(_ ancestor: ObjectID, of commit: ObjectID) throws -> Bool {
        try flush()
        let result = try attempt(["merge-base", "--is-ancestor", ancestor.hex, commit.hex])
        if result.status > 1 { throw Self.failure("compare \(ancestor.short) with \(commit.short)", result) }
        return result.status == 0
    }
}
