internal import CLibgit2

extension LibraryBackend {
    func history(
        from starts: [ObjectID], hiding hidden: [ObjectID], order: HistoryOrder, _ body: (ObjectID) throws -> Bool
    ) throws {
        // The lock is held only while the commits are listed, so that `body` may use the repository.
        var batch: [ObjectID] = []
        let walker = try Walker(self, starts: starts, hidden: hidden, order)
        repeat {
            batch = try withHandle { _ in try walker.next(256) }
            for commit in batch where try !body(commit) { return }
        } while !batch.isEmpty
    }

    func isAncestor(_ ancestor: ObjectID, of commit: ObjectID) throws -> Bool {
        try withHandle { repository in
            guard var a = git_oid(ancestor), var c = git_oid(commit) else { return false }
            return try Library.check("compare \(ancestor.short) with \(commit.short)") {
                git_graph_descendant_of(repository, &c, &a)
            } == 1
        }
    }
}

/// libgit2's history walk, freed once.
private final class Walker {
    private let pointer: OpaquePointer

    init(_ backend: LibraryBackend, starts: [ObjectID], hidden: [ObjectID], _ order: HistoryOrder) throws {
        pointer = try backend.withHandle { handle in
            var walker: OpaquePointer?
            try Library.check("walk the history") { git_revwalk_new(&walker, handle) }
            guard let walker else { throw Library.failure("walk the history", -1) }
            return walker
        }
        let topological = order == .topological ? GIT_SORT_TOPOLOGICAL.rawValue : 0
        git_revwalk_sorting(pointer, topological | GIT_SORT_TIME.rawValue)
        try backend.withHandle { _ in
            for start in starts {
                guard var oid = git_oid(start) else { continue }
                try Library.check("walk from \(start.short)") { git_revwalk_push(pointer, &oid) }
            }
            for stop in hidden {
                guard var oid = git_oid(stop) else { continue }
                // What is hidden may be unknown here (a remote's commit): then it hides nothing.
                if git_revwalk_hide(pointer, &oid) < 0 { git_error_clear() }
            }
        }
    }

    deinit { git_revwalk_free(pointer) }

    func next(_ count: Int) throws -> [ObjectID] {
        var commits: [ObjectID] = []
        var oid = git_oid()
        while commits.count < count {
            let code = git_revwalk_next(&oid, pointer)
            if code == GIT_ITEROVER.rawValue {
                git_error_clear()
                break
            }
            try Library.check("walk the history") { code }
            commits.append(oid.objectID)
        }
        return commits
    }
}
