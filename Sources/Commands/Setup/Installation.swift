internal import Base
internal import SystemPackage

/// Where this program lies, and what was installed with it.
enum Installation {
    /// The real path of this program.
    static let program: FilePath = {
        var buffer = [CChar](repeating: 0, count: 4096)
        #if os(Linux)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        if count > 0 {
            return FilePath(String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        #endif
        return FilePath(CommandLine.arguments.first ?? "git-ml")
    }()

    /// The folder this process was started in.
    static let currentFolder: FilePath = {
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getcwd(&buffer, buffer.count) != nil else { return "/" }
        return FilePath(String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }()

    /// The folder with `hooks` and `templates`: `$GIT_ML_SHARE`, else `share/git-ml` beside the binary's folder, else the
    /// package root above the binary.
    static func share() throws -> FilePath {
        if let folder = environmentValue("GIT_ML_SHARE") { return FilePath(folder) }
        let installed = program.removingLastComponent().removingLastComponent().appending("share").appending("git-ml")
        if Files.exists(installed.appending("hooks")) { return installed }
        var folder = program.removingLastComponent()
        while !folder.isEmpty, folder != "/" {
            if Files.exists(folder.appending("Package.swift")), Files.exists(folder.appending("hooks")) {
                return folder
            }
            folder = folder.removingLastComponent()
        }
        throw InstallationFailure(program: program.string)
    }

    /// How hooks and the filter name this program: as the PATH leads to it, so that an upgrade behind a link is found,
    /// else by its real path.
    static var command: String {
        guard let found = ChildProcess.find("git-ml") else { return program.string }
        var buffer = [CChar](repeating: 0, count: 4096)
        guard found.withPlatformString({ realpath($0, &buffer) }) != nil else { return program.string }
        let real = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return real == program.string ? found.string : program.string
    }
}

/// A binary without its hooks and templates.
struct InstallationFailure: Failure {
    let program: String
    var kind: FailureKind { .user }
    var description: String { "the hooks and templates that belong to \(program) are not to be found" }
    var hints: [String] { ["set GIT_ML_SHARE to the folder that holds them, or install with `make install`"] }
}
