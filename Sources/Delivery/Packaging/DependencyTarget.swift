internal import Base
internal import Images
internal import SystemPackage

/// What Python packages are installed for: a processor, a C library and a Python.
struct DependencyTarget: Equatable, CustomStringConvertible {
    /// The newest glibc that is asked of the base: Debian 11's; wheels for older ones are taken too.
    private static let newestGlibc = 31
    private static let oldestGlibc = 5

    let platform: Platform
    /// Such as `3.12`.
    let python: String

    /// The Python is the one given, else the one that `python3` is here.
    init(platform: Platform, python: String?) async throws {
        self.platform = platform
        if let python { self.python = python } else { self.python = try await Self.installed() }
        guard platform.os == "linux", Self.machines[platform.architecture] != nil else {
            throw ImageFailure.unsupported("Python packages cannot be installed for \(platform)")
        }
        let numbers = self.python.split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 2, numbers.allSatisfy({ Int($0) != nil }) else {
            throw ImageFailure.unsupported(
                "“\(self.python)” is no version of Python", hints: ["write `python: \"3.12\"` in ml.yaml"])
        }
    }

    private static let machines = [
        "amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64le", "s390x": "s390x", "386": "i686",
        "riscv64": "riscv64",
    ]

    /// The words with which pip is told, best first.
    var arguments: [String] {
        let machine = Self.machines[platform.architecture] ?? platform.architecture
        let numbered = (Self.oldestGlibc...Self.newestGlibc).reversed().map { "manylinux_2_\($0)" }
        let names = numbered + ["manylinux2014", "manylinux2010", "manylinux1", "linux"]
        return names.flatMap { ["--platform", "\($0)_\(machine)"] }
            + ["--python-version", python, "--implementation", "cp"]
    }

    /// What uv calls the platform; nil where it has no name for it.
    var uvPlatform: String? {
        guard let machine = Self.machines[platform.architecture], ["x86_64", "aarch64"].contains(machine) else {
            return nil
        }
        return "\(machine)-manylinux_2_\(Self.newestGlibc)"
    }

    var description: String { "\(platform), Python \(python)" }

    /// What the name of a cache for it must hold.
    var key: String { arguments.joined(separator: " ") }

    /// Where the links of `python3` end; nil without one.
    static var installedProgram: FilePath? {
        guard let python = ChildProcess.find("python3"), let real = python.withPlatformString({ realpath($0, nil) })
        else { return nil }
        defer { free(real) }
        return FilePath(String(cString: real))
    }

    /// `python3.11` behind all its links says it; anything else is asked.
    private static func installed() async throws -> String {
        guard let python = ChildProcess.find("python3") else { throw ProcessFailure.notFound(program: "python3") }
        if let name = installedProgram?.lastComponent?.string {
            if name.hasPrefix("python3."), Int(name.dropFirst(8)) != nil { return String(name.dropFirst(6)) }
        }
        let words = "import sys; print('%d.%d' % sys.version_info[:2])"
        return try await ChildProcess.check(python.string, ["-c", words]).trimmed
    }
}
