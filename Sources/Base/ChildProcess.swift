internal import Subprocess
public import SystemPackage

/// How a child process ended and what it printed.
public struct ProcessResult: Sendable {
    /// The exit status; 128 + the signal's number when a signal ended it.
    public let status: Int32
    public let output: [UInt8]
    public let errors: String

    public init(status: Int32, output: [UInt8], errors: String) {
        self.status = status
        self.output = output
        self.errors = errors
    }

    /// Standard output as text.
    public var text: String { String(decoding: output, as: UTF8.self) }
    /// Standard output without space at its end.
    public var trimmed: String { text.trimmingTrailingSpace }
}

extension ProcessResult {
    /// Itself where the status is 0; else a ``ProcessFailure`` that names the command.
    public func checked(_ program: String, _ arguments: [String]) throws -> ProcessResult {
        if status == 0 { return self }
        throw ProcessFailure.failed(
            command: ([program] + arguments).map(shellQuoted).joined(separator: " "), status: status, errors: errors)
    }
}

/// A program that could not be started, or that failed.
public enum ProcessFailure: Failure {
    case notFound(program: String)
    case failed(command: String, status: Int32, errors: String)

    public var kind: FailureKind { .user }
    public var description: String {
        switch self {
        case .notFound(let program): "the program “\(program)” is not installed, or not on the PATH"
        case .failed(let command, let status, let errors):
            "`\(command)` ended with status \(status)" + (errors.isEmpty ? "" : ": \(errors.trimmingTrailingSpace)")
        }
    }
    public var hints: [String] {
        switch self {
        case .notFound(let program): ["install \(program), then try again"]
        case .failed: []
        }
    }
}

/// Child processes: the one place that starts them.
///
/// Arguments are an array and never see a shell.
public enum ChildProcess {
    /// Variables with which git points a hook at its repository; a child that looks at another must not see them.
    public static let repositoryVariables: [String] = [
        "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
    ]

    /// Runs a program to its end and collects what it prints.
    ///
    /// `environment` holds variables to set (nil removes one; the rest is inherited), `input` the bytes of standard
    /// input, and `limit` the most bytes of output and of errors: a program that prints more is ended.
    public static func run(
        _ program: String, _ arguments: [String], in directory: FilePath? = nil,
        environment: [String: String?] = [:], input: [UInt8] = [], limit: Int = 64 << 20
    ) async throws -> ProcessResult {
        var changes: [Environment.Key: String?] = [:]
        for (key, value) in environment { changes[Environment.Key(stringLiteral: key)] = value }
        // By its path: with a bare name each folder of the PATH that lacks it costs a fork.
        let path = environment["PATH"] ?? nil
        guard let file = program.contains("/") ? FilePath(program) : find(program, path: path) else {
            throw ProcessFailure.notFound(program: program)
        }
        do {
            let result = try await Subprocess.run(
                .path(file), arguments: Arguments(arguments), environment: .inherit.updating(changes),
                workingDirectory: directory, input: .array(input), output: .bytes(limit: limit),
                error: .string(limit: limit))
            return ProcessResult(
                status: result.terminationStatus.code, output: result.standardOutput, errors: result.standardError)
        } catch let error as SubprocessError where error.code == .executableNotFound {
            throw ProcessFailure.notFound(program: program)
        }
    }

    /// The same; an exit status other than 0 is an error.
    @discardableResult
    public static func check(
        _ program: String, _ arguments: [String], in directory: FilePath? = nil,
        environment: [String: String?] = [:], input: [UInt8] = []
    ) async throws -> ProcessResult {
        try await run(program, arguments, in: directory, environment: environment, input: input)
            .checked(program, arguments)
    }

    /// The absolute path of a program on a PATH (default: this process's), or nil.
    ///
    /// Relative entries of the PATH are passed over.
    public static func find(_ program: String, path: String? = nil) -> FilePath? {
        let path = path ?? environmentValue("PATH") ?? "/usr/bin:/bin"
        for directory in path.split(separator: ":") where directory.hasPrefix("/") {
            let candidate = FilePath(String(directory)).appending(program)
            if candidate.withPlatformString({ access($0, X_OK) }) == 0, Files.status(candidate)?.kind != .directory {
                return candidate
            }
        }
        return nil
    }
}

/// The value of an environment variable; nil when it is unset or empty.
public func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

/// Quotes a word for a POSIX shell, where it needs it.
public func shellQuoted(_ word: String) -> String {
    let plain = word.utf8.allSatisfy {
        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || "-_./:=@%+,".utf8.contains($0)
    }
    return plain && !word.isEmpty
        ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
}

extension String {
    /// The text without white space at its end.
    public var trimmingTrailingSpace: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}

extension TerminationStatus {
    fileprivate var code: Int32 {
        switch self {
        case .exited(let code): Int32(code)
        case .signaled(let signal): 128 + Int32(signal)
        }
    }
}
