public import SystemPackage

/// What is put around a command that nobody here has written.
public struct Enclosure: Sendable {
    /// What is started in place of a program with its arguments.
    ///
    /// The third parameter is where it runs, the fourth the run's own folder, which the command writes to.
    public var wrap: @Sendable (FilePath, [String], FilePath, FilePath) throws -> (FilePath, [String])
    /// How long it may take; nil: as long as it likes.
    public var time: Duration?
    /// Called with the process when it has started.
    public var started: @Sendable (Int32) -> Void = { _ in }
    /// Called with the run's own folder once it has ended, or could not be started.
    public var ended: @Sendable (FilePath) -> Void = { _ in }

    public init(wrap: @escaping @Sendable (FilePath, [String], FilePath, FilePath) throws -> (FilePath, [String])) {
        self.wrap = wrap
    }
}
