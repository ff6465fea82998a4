public import SystemPackage

/// Child processes for synchronous code: bytes in, bytes out, status.
///
/// ``ChildProcess`` is for everything that may wait longer than a few milliseconds.
public enum BlockingProcess {
    /// Runs a program to its end and collects what it prints; `environment` is its whole environment.
    public static func run(
        _ program: FilePath, _ arguments: [String], environment: [String: String], in directory: FilePath? = nil,
        input: [UInt8] = []
    ) throws -> ProcessResult {
        let child = try Coprocess(program, arguments, environment: environment, in: directory)
        child.send(input)
        let output = child.rest()
        return ProcessResult(
            status: child.wait(), output: output, errors: String(decoding: child.errors, as: UTF8.self))
    }
}
