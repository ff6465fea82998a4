internal import Base
internal import GitKit
internal import SystemPackage

/// The environment that a run records: interpreter, lock files, hardware.
///
/// Nothing is started for it: a hook has a few milliseconds. The interpreter's version is read from the virtual
/// environment's `pyvenv.cfg`, or from the name that `python3` links to.
public enum MachineInfo {
    private static let lockFiles = [
        "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "conda-lock.yml", "pixi.lock", "renv.lock",
        "requirements.lock", "requirements.txt", "environment.yml",
    ]

    static func environment(
        of commit: ObjectID, in repository: Repository, gpus: [String] = [], variables: [String: String] = [:]
    ) throws -> JSON {
        var lock: String?
        for name in lockFiles {
            if let bytes = try repository.file(name, in: commit) {
                lock = Digest.of(bytes).description
                break
            }
        }
        return [
            "python": .optional(pythonVersion(variables)), "lock": .optional(lock), "cpu": .optional(cpu()),
            "gpu": .array(gpus.map { .string($0) }),
        ]
    }

    /// The names of the graphics processors, as `nvidia-smi` gives them; empty where it is not installed.
    static func gpuNames() -> [String] {
        guard let program = ChildProcess.find("nvidia-smi") else { return [] }
        return (gpuRows(program, "name") ?? []).map { $0.joined(separator: ", ") }
    }

    /// One row a graphics processor, with the columns asked for; nil when `nvidia-smi` does not answer.
    static func gpuRows(_ program: FilePath, _ columns: String) -> [[String]]? {
        let words = ["--query-gpu=\(columns)", "--format=csv,noheader,nounits"]
        guard let result = try? BlockingProcess.run(program, words, environment: Daemon.currentEnvironment()),
            result.status == 0
        else { return nil }
        return result.text.split(separator: "\n").map { line in
            line.split(separator: ",").map { String($0.drop { $0 == " " }).trimmingTrailingSpace }
        }
    }

    /// The name that this machine gives itself.
    public static func host() -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func pythonVersion(_ variables: [String: String]) -> String? {
        for variable in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
            guard let root = variables[variable] ?? environmentValue(variable),
                let config = try? Files.readText(FilePath(root).appending("pyvenv.cfg"))
            else { continue }
            for line in config.split(separator: "\n") {
                let parts = line.split(separator: "=", maxSplits: 1)
                guard parts.count == 2 else { continue }
                if ["version", "version_info"].contains(String(parts[0]).trimmingTrailingSpace) {
                    return String(parts[1].drop { $0 == " " }).trimmingTrailingSpace
                }
            }
        }
        guard let program = ChildProcess.find("python3", path: variables["PATH"]) else { return nil }
        if program.string.hasSuffix("/shims/python3") { return pyenvVersion(of: program) }
        var buffer = [CChar](repeating: 0, count: 4096)
        guard program.withPlatformString({ realpath($0, &buffer) }) != nil else { return nil }
        let real = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let name = real.split(separator: "/").last ?? ""
        return name.hasPrefix("python3.") ? String(name.dropFirst("python".count)) : nil
    }

    /// What pyenv's shim would start: `PYENV_VERSION`, `.python-version` here, else pyenv's own default.
    private static func pyenvVersion(of shim: FilePath) -> String? {
        let root = shim.removingLastComponent().removingLastComponent()
        let text =
            environmentValue("PYENV_VERSION")
            ?? (try? Files.readText(".python-version")) ?? (try? Files.readText(root.appending("version")))
        return text?.split(separator: "\n").first.map { String($0).trimmingTrailingSpace }
    }

    private static func cpu() -> String? {
        guard let text = try? Files.readText("/proc/cpuinfo"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("model name") }),
            let colon = line.firstIndex(of: ":")
        else { return nil }
        return String(line[line.index(after: colon)...].drop { $0 == " " })
    }
}
