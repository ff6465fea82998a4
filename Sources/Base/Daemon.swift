public import SystemPackage

/// A process that outlives the one that started it.
public enum Daemon {
    /// Starts a program in a session of its own, without a terminal, printing to the end of `log`.
    ///
    /// Subprocess waits for its children, so this stands beside it: the caller goes on at once and may exit.
    ///
    /// `environment` is the whole environment of the new process. Returns its process id.
    public static func start(
        _ program: FilePath, _ arguments: [String], environment: [String: String], log: FilePath
    ) throws -> Int32 {
        try Files.makeDirectory(log.removingLastComponent())
        let nothing = try FileDescriptor.open("/dev/null", .readOnly, options: .closeOnExec)
        defer { try? nothing.close() }
        do {
            let file = try FileDescriptor.open(
                log, .writeOnly, options: [.create, .append, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            defer { try? file.close() }
            return try Spawn.start(
                program, arguments, environment: environment, input: nothing, output: file, errors: file,
                group: .session)
        } catch let errno as Errno {
            throw FileFailure("write", log, errno)
        }
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
