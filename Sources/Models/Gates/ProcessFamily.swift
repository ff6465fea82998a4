internal import Base
internal import SystemPackage

/// All processes that come from one: its session, and those that left it and still have its mark in their environment.
///
/// A program that makes a session of its own ("daemon") gets out of every process group; the variable that we gave its
/// ancestor stays with it. Where there is no `/proc`, only the process group is known.
struct ProcessFamily {
    /// The first process, which leads a session and a group.
    let leader: Int32
    /// `NAME=VALUE`, as it stands in the environment of each.
    let mark: String

    /// Kills them all, until none is left; at most some seconds.
    func end() {
        for _ in 0..<100 {
            _ = kill(-leader, SIGKILL)
            let left = members()
            for process in left { _ = kill(process, SIGKILL) }
            if left.isEmpty { return }
            usleep(20_000)
        }
    }

    /// The memory that those of the session hold together, in bytes.
    ///
    /// Memory that several share counts once where that makes a difference to `limit`: telling it apart takes longer.
    func memory(limit: Int64) -> Int64 {
        let processes = inSession()
        let resident = processes.reduce(0) { $0 + $1.resident }
        guard resident > limit, processes.count > 1 else { return resident }
        return processes.reduce(0) { $0 + (Self.share(of: $1.id) ?? $1.resident) }
    }

    /// How many there are in the session.
    var count: Int { inSession().count }

    private func inSession() -> [(id: Int32, resident: Int64)] {
        let wanted = String(leader)
        return Self.all().compactMap { id in
            guard let fields = Self.stat(id), fields[3] == wanted else { return nil }
            return (id, (Int64(fields[21]) ?? 0) * Int64(sysconf(Int32(_SC_PAGESIZE))))
        }
    }

    private func members() -> [Int32] {
        let wanted = String(leader)
        let mark = Array(mark.utf8)
        return Self.all().filter { id in
            // Zombies are dead already and wait for their parent.
            guard id != getpid(), let fields = Self.stat(id), fields[0] != "Z" else { return false }
            if fields[3] == wanted || fields[2] == wanted { return true }
            guard let environment = try? Files.read(FilePath("/proc/\(id)/environ")) else { return false }
            return environment.split(separator: 0).contains { $0.elementsEqual(mark) }
        }
    }

    private static func all() -> [Int32] {
        ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }
    }

    /// The fields behind the name: state, parent, group, session and so on.
    private static func stat(_ id: Int32) -> [Substring]? {
        guard let text = try? Files.readText(FilePath("/proc/\(id)/stat")), let close = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: close)...].split(separator: " ")
        return fields.count > 21 ? fields : nil
    }

    /// Its proportional share of memory, in bytes.
    private static func share(of id: Int32) -> Int64? {
        guard let text = try? Files.readText(FilePath("/proc/\(id)/smaps_rollup")),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Pss:") })
        else { return nil }
        return line.split(separator: " ").dropFirst().first.flatMap { Int64($0) }.map { $0 * 1024 }
    }
}
