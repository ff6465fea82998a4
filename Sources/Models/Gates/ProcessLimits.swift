internal import Base
internal import SystemPackage

/// What the kernel itself sees to, for a process and all that it starts: no core files, and at most so much of each.
struct ProcessLimits {
    /// Bytes of data of one process; not its address space: CUDA, Java and Go reserve far more of it than they use.
    var data: Int64?
    /// Bytes of a file that it writes.
    var fileSize: Int64?
    /// Processes of its user.
    var processes: Int64?

    /// The words that start a program within the limits; empty where there is no `prlimit`.
    ///
    /// What a limit that is set afterwards would come too late for: a program that starts others at once.
    var words: [String] {
        #if os(Linux)
        guard let program = ChildProcess.find("prlimit") else { return [] }
        func word(_ name: String, _ value: Int64?) -> [String] { value.map { ["--\(name)=\($0):\($0)"] } ?? [] }
        return [program.string] + word("core", 0) + word("data", data) + word("fsize", fileSize)
            + word("nproc", geteuid() == 0 ? processes : nil) + ["--"]
        #else
        return []
        #endif
    }

    /// Sets the limits of a process that has been started without ``words``.
    func set(on process: Int32) {
        #if os(Linux)
        set(4, 0, process)  // RLIMIT_CORE
        if let data { set(2, data, process) }  // RLIMIT_DATA
        if let fileSize { set(1, fileSize, process) }  // RLIMIT_FSIZE
        // A user who is logged in has other processes; the count of these is looked at besides.
        if let processes, geteuid() == 0 { set(6, processes, process) }  // RLIMIT_NPROC
        #endif
    }

    #if os(Linux)
    private func set(_ resource: Int32, _ value: Int64, _ process: Int32) {
        var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(value))
        _ = setLimits(process, resource, &limit, nil)
    }
    #endif
}

#if os(Linux)
/// `prlimit`, which glibc shows only to programs that define `_GNU_SOURCE`.
@_silgen_name("prlimit")
private func setLimits(
    _ process: Int32, _ resource: Int32, _ new: UnsafePointer<rlimit>?, _ old: UnsafeMutablePointer<rlimit>?
) -> Int32
#endif
