internal import SystemPackage

/// A process by its id and the moment it began, so that a reused id is never mistaken for it.
public struct ProcessIdentity: Sendable, Hashable {
    public let id: Int32
    /// Clock ticks since the machine started, from `/proc/<id>/stat`; empty where there is no `/proc`.
    public let began: String

    public init(id: Int32, began: String) {
        self.id = id
        self.began = began
    }

    /// The identity of a process that runs now.
    public init(_ id: Int32) {
        self.init(id: id, began: Self.beginning(of: id))
    }

    /// Whether exactly this process still runs.
    public var isRunning: Bool { Daemon.isRunning(id) && Self.beginning(of: id) == began }

    /// Sends a signal, if it is still this process.
    public func signal(_ number: Int32) {
        if isRunning { kill(id, number) }
    }

    private static func beginning(of id: Int32) -> String {
        guard let text = try? Files.readText(FilePath("/proc/\(id)/stat")), let close = text.lastIndex(of: ")") else {
            return ""
        }
        // A zombie has ended: it only waits for its parent.
        let fields = text[text.index(after: close)...].split(separator: " ")
        return fields.count > 19 && fields[0] != "Z" ? String(fields[19]) : "ended"
    }
}
