public import SystemPackage

/// A process that outlives the one that started it.
public enum Daemon {
    /// `POSIX_SPAWN_SETSID`, which glibc shows only to programs that define `_GNU_SOURCE`.
    #if os(Linux)
    private static let setsid: Int16 = 0x80
    #else
    private static let setsid: Int16 = 0x400
    #endif

    /// Starts a program in a session of its own, without a terminal, printing to the end of `log`.
    ///
    /// Subprocess waits for its children, so this stands beside it: the caller goes on at once and may exit.
    ///
    /// `environment` is the whole environment of the new process. Returns its process id.
    public static func start(
        _ program: FilePath, _ arguments: [String], environment: [String: String], log: FilePath
    ) throws -> Int32 {
        try Files.makeDirectory(log.removingLastComponent())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log.string, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // A pipe of the caller's that stayed open in there would keep whoever reads it waiting: git's push, for one.
        for name in try Files.list("/dev/fd") {
            if let handle = Int32(name), handle > 2 { _ = fcntl(handle, F_SETFD, FD_CLOEXEC) }
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The new process must not inherit signals that a shell or git has ignored or blocked.
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        let flags = setsid | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
        posix_spawnattr_setflags(&attributes, flags)

        let words = ([program.string] + arguments).map { strdup($0) } + [nil]
        let variables = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var process: pid_t = 0
        let error = posix_spawn(&process, program.string, &actions, &attributes, words, variables)
        guard error == 0 else { throw FileFailure("start", program, Errno(rawValue: error)) }
        return process
    }

    /// Whether a process with this id runs (a zombie of ours is reaped and does not count).
    public static func isRunning(_ process: Int32) -> Bool {
        var status: Int32 = 0
        if waitpid(process, &status, WNOHANG) == process { return false }
        return kill(process, 0) == 0 || errno == EPERM
    }

    /// Everything in this process's environment.
    public static func currentEnvironment() -> [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                result[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }
}
