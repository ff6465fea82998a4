public import SystemPackage

/// Child processes for synchronous code: a hook that must not wait for a task, a thread of its own.
public enum BlockingProcess {
    /// Runs a program to its end with nothing on its standard input; its errors go nowhere.
    public static func run(_ program: FilePath, _ arguments: [String]) throws -> ProcessResult {
        let pipe = try FileDescriptor.pipe()
        let nothing = try FileDescriptor.open("/dev/null", .readWrite, options: .closeOnExec)
        defer { for end in [pipe.readEnd, nothing] { try? end.close() } }
        let process: Int32
        do {
            defer { try? pipe.writeEnd.close() }
            process = try Spawn.start(
                program, arguments, environment: Daemon.currentEnvironment(), input: nothing, output: pipe.writeEnd,
                errors: nothing)
        }
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while let count = try? piece.withUnsafeMutableBytes({ try pipe.readEnd.read(into: $0) }), count > 0 {
            output += piece[..<count]
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return ProcessResult(status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: output, errors: "")
    }
}
