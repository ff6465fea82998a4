internal import Base
internal import GitKit
internal import Images
internal import SystemPackage

/// The program that resolves and installs Python packages: uv where there is one, else pip.
///
/// Both put the same files there. uv judges markers by the image's platform and Python, pip by the Python that it runs in; the
/// git setting `ml.installer` chooses one of them for good.
struct PackageInstaller {
    private enum Program: String { case uv, pip }

    private let program: Program
    private let path: FilePath
    private let python: FilePath

    init(_ repository: Repository) throws {
        guard let python = ChildProcess.find("python3") else { throw ProcessFailure.notFound(program: "python3") }
        self.python = python
        let wanted = try repository.setting("ml.installer")
        guard wanted == nil || Program(rawValue: wanted ?? "") != nil else {
            throw Refusal("the git setting ml.installer is “\(wanted ?? "")”, and only uv and pip are known")
        }
        let uv = wanted == "pip" ? nil : ChildProcess.find("uv")
        if wanted == "uv", uv == nil { throw ProcessFailure.notFound(program: "uv") }
        program = uv == nil ? .pip : .uv
        path = uv ?? python
    }

    /// Installs what a requirements file asks for into a folder; only wheels.
    func install(_ list: FilePath, into folder: FilePath, for target: DependencyTarget) async throws {
        switch (program, target.uvPlatform) {
        case (.uv, let platform?): try await uv(list, folder, target, platform)
        default: try await pip(list, folder, target)
        }
    }

    private func uv(_ list: FilePath, _ folder: FilePath, _ target: DependencyTarget, _ platform: String) async throws {
        let words = [
            "pip", "install", "--quiet", "--no-progress", "--no-build", "--link-mode", "copy", "--target",
            folder.string, "--python", python.string, "--python-version", target.python, "--python-platform",
            platform, "-r", list.string,
        ]
        // From there, so that no settings of a project that happens to be checked out are read.
        let result = try await ChildProcess.run(
            path.string, words, in: list.removingLastComponent(), environment: Self.uvEnvironment)
        guard result.status == 0 else {
            throw DependencyFailure(target: target.description, words: result.errors)
        }
    }

    /// What pip is told of indexes goes for uv too, where uv is told nothing else.
    private static var uvEnvironment: [String: String?] {
        var environment: [String: String?] = ["UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"]
        let names = [
            ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
            ("PIP_FIND_LINKS", "UV_FIND_LINKS"), ("PIP_NO_INDEX", "UV_NO_INDEX"), ("PIP_CERT", "SSL_CERT_FILE"),
        ]
        for (pip, uv) in names where environmentValue(uv) == nil {
            if let value = environmentValue(pip) { environment[uv] = value }
        }
        return environment
    }

    private func pip(_ list: FilePath, _ folder: FilePath, _ target: DependencyTarget) async throws {
        let words =
            [
                "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile",
                "--only-binary=:all:", "--target", folder.string,
            ] + target.arguments + ["-r", list.string]
        let environment: [String: String?] = ["PYTHONPATH": nil, "PYTHONDONTWRITEBYTECODE": "1"]
        let result = try await ChildProcess.run(python.string, words + ["--quiet"], environment: environment)
        guard result.status != 0 else { return }
        // Once more, to hear what was passed over and why.
        let told = try await ChildProcess.run(python.string, words + ["--dry-run", "-vv"], environment: environment)
        throw DependencyFailure(
            target: target.description, errors: result.errors, told: told.text + told.errors)
    }
}

/// Packages that could not be installed.
struct DependencyFailure: Failure {
    let target: String
    /// Packages that exist, but only as source.
    let sources: [String]
    /// Others of which nothing fits.
    let absent: [String]
    /// The installer's own words, where it named no package.
    let words: String

    init(target: String, errors: String, told: String) {
        self.target = target
        let mark = "No matching distribution found for "
        let lines = (errors + "\n" + told).split(whereSeparator: \.isNewline).map(String.init)
        let wanted = Set(
            lines.compactMap { line in
                line.firstRange(of: mark).map { String(line[$0.upperBound...].prefix { $0 != " " }) }
            })
        let onlySource = Set(
            lines.compactMap { line in
                line.firstRange(of: "No sources permitted for ").map {
                    Self.normal(String(line[$0.upperBound...].prefix { !" ),".contains($0) }))
                }
            })
        sources = wanted.filter { onlySource.contains(Self.normal($0)) }.sorted()
        absent = wanted.filter { !onlySource.contains(Self.normal($0)) }.sorted()
        words = Self.plain(errors)
    }

    /// uv's own words, which name the packages.
    init(target: String, words: String) {
        self.target = target
        sources = []
        absent = []
        self.words = Self.plain(words)
    }

    /// Without warnings, line breaks and what draws a tree.
    private static func plain(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("WARNING") && !$0.hasPrefix("warning") }
            .map { line in
                let rest = line.drop { " ×╰─▶│├".contains($0) }
                return String(rest).trimmingTrailingSpace
            }.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// A project's name without version, in the index's form (PEP 503).
    private static func normal(_ name: String) -> String {
        name.lowercased().prefix { $0.isLetter || $0.isNumber || "-_.".contains($0) }.split { "-_.".contains($0) }
            .joined(separator: "-")
    }

    var kind: FailureKind { .user }
    var description: String {
        var parts: [String] = []
        if !sources.isEmpty { parts.append("there is only source of \(sources.joined(separator: ", "))") }
        if !absent.isEmpty { parts.append("there is nothing of \(absent.joined(separator: ", "))") }
        return "the requirements cannot be installed for \(target): "
            + (parts.isEmpty ? words : parts.joined(separator: "; "))
    }
    var hints: [String] {
        if !sources.isEmpty {
            return [
                "build wheels of them (`pip wheel`) into an index of your own and name it with PIP_EXTRA_INDEX_URL, or choose versions that have wheels"
            ]
        }
        return absent.isEmpty ? [] : ["check the names and versions, and `package: python:` and `platform:` in ml.yaml"]
    }
}
