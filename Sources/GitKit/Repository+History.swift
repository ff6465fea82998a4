internal import Base

/// In which order the commits of a history come; both are newest first.
public enum HistoryOrder: Sendable {
    /// No parent comes before all its children have come: the whole history is read before the first commit comes.
    case topological
    /// By time alone, as they are found: where a clock was wrong a parent may come before a child.
    case time
}

extension Repository {
    /// Calls `body` for each commit that is reachable from `starts` and not from `hidden`, newest first.
    ///
    /// `body` answers whether to go on. What is hidden may be unknown here (a
    /// remote's commit): then it hides nothing. In a shallow clone the walk ends where the clone does.
    public func history(
        from starts: [ObjectID], hiding hidden: [ObjectID] = [], order: HistoryOrder = .topological,
        _ body: (ObjectID) throws -> Bool
    ) throws {
        try historyBackend().history(from: starts, hiding: hidden, order: order, body)
    }

    /// Whether `ancestor` is `commit` or can be reached from it.
    ///
    /// One that is not here is no ancestor. In a shallow clone a no may be wrong, as git's own answer is: see ``isShallow``. Whoever acts on a no deepens
    /// first (`git fetch --unshallow`).
    public func isAncestor(_ ancestor: ObjectID, of commit: ObjectID) throws -> Bool {
        if ancestor == commit { return true }
        do {
            return try historyBackend().isAncestor(ancestor, of: commit)
        } catch {
            if try backend.header(ancestor) == nil { return false }
            throw error
        }
    }
}
