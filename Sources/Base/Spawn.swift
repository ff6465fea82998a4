public import SystemPackage

/// `posix_spawn`, for processes that Subprocess has no answer for: ones that outlive us, that have a process group of
/// their own, or that synchronous code waits for.
public enum Spawn {
    /// What the new process belongs to.
    public enum Group: Sendable {
        /// This process's own group: Ctrl-C at the terminal reaches both.
        case inherited
        /// A new group, so that signals can be sent to it and all its descendants.
        case new
        /// A new session, without a terminal.
        case session
    }

    /// `POSIX_SPAWN_SETSID`, which glibc shows only to programs that define `_GNU_SOURCE`.
    #if os(Linux)
    private static let setsid: Int16 = 0x80
    #else
    private static let setsid: Int16 = 0x400
    #endif

    /// Starts a program and returns its process id; the caller waits for it.
    ///
    /// `environment` is the whole environment of the new process. Descriptors above 2 are not handed on.
    public static func start(
        _ program: FilePath, _ arguments: [String], environment: [String: String], in directory: FilePath? = nil,
        input: FileDescriptor, output: FileDescriptor, errors: FileDescriptor, group: Group = .inherited
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let directory { _ = addChangeDirectory(&actions, directory.string) }
        for (i, descriptor) in [input, output, errors].enumerated() {
            // Onto itself too: `dup2` of a descriptor onto itself clears its close-on-exec mark here.
            posix_spawn_file_actions_adddup2(&actions, descriptor.rawValue, Int32(i))
        }
        // A pipe of the caller's that stayed open in there would keep whoever reads it waiting: git's push, for one. Marking
        // what is open now is not enough where another thread may open something before the program starts.
        #if canImport(Glibc)
        _ = addCloseFrom(&actions, 3)
        #else
        for name in try Files.list("/dev/fd") {
            if let handle = Int32(name), handle > 2 { _ = fcntl(handle, F_SETFD, FD_CLOEXEC) }
        }
        #endif

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
        var flags = Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
        switch group {
        case .inherited: break
        case .new:
            posix_spawnattr_setpgroup(&attributes, 0)
            flags |= Int16(POSIX_SPAWN_SETPGROUP)
        case .session: flags |= setsid
        }
        posix_spawnattr_setflags(&attributes, flags)

        let words = ([program.string] + arguments).map { strdup($0) } + [nil]
        let variables = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var process: pid_t = 0
        let error = posix_spawn(&process, program.string, &actions, &attributes, words, variables)
        guard error == 0 else { throw FileFailure("start", program, Errno(rawValue: error)) }
        return process
    }
}

/// `posix_spawn_file_actions_addchdir_np`, which glibc shows only to programs that define `_GNU_SOURCE`.
@_silgen_name("posix_spawn_file_actions_addchdir_np")
private func addChangeDirectory(
    _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ path: UnsafePointer<CChar>
) -> Int32

#if canImport(Glibc)
/// `posix_spawn_file_actions_addclosefrom_np` (glibc 2.34), shown like the one above.
@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
private func addCloseFrom(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ first: Int32) -> Int32
#endif
