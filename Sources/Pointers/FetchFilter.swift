internal import Base
public import Storage

/// Which paths' content is brought: `lfs.fetchinclude` and `lfs.fetchexclude`, or the options of a command.
public struct FetchFilter: Sendable {
    private let include: [PathPattern]
    private let exclude: [PathPattern]

    /// Takes patterns as `.gitignore` has them, where a folder's name stands for all below it.
    ///
    /// Empty lists mean all, and none.
    public init(include: [String] = [], exclude: [String] = []) {
        func patterns(_ texts: [String]) -> [PathPattern] {
            texts.flatMap { text in
                let text = text.hasSuffix("/") ? String(text.dropLast()) : text
                return [PathPattern(text), PathPattern(text + "/**")]
                    + (text.contains("/") ? [] : [PathPattern("**/" + text + "/**")])
            }
        }
        self.include = patterns(include)
        self.exclude = patterns(exclude)
    }

    public init(_ settings: LFSSettings) { self.init(include: settings.fetchInclude, exclude: settings.fetchExclude) }

    public func allows(_ path: String) -> Bool {
        (include.isEmpty || include.contains { $0.matches(path) }) && !exclude.contains { $0.matches(path) }
    }
}
