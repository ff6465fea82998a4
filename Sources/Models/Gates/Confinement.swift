internal import Base
internal import GitKit
internal import SystemPackage

/// What stands between a command that others have written and this machine.
///
/// Whoever may push to a branch writes the commands' code, so it is held for hostile. In the order in which they are tried:
/// 1. bubblewrap (`bwrap`): the machine can be read and not written, except for the checkout and the command's own folders;
///    home folders, `/run` (sockets of Docker, agents, D-Bus), `/tmp`, the repository's git folder with its settings and
///    this program's state, and the work tree are not to be seen; other processes are not either; there is no network
///    unless the gate's `limits: {network: true}` allows it. Where this process is root the command is another user besides.
/// 2. Root without a working bubblewrap: another user, without any privilege. Files that all may read can be read, and
///    there is a network.
/// 3. Nobody else: the cleaned environment and the limits are all there is.
///
/// The git setting `ml.gateSandbox` of the repository that gates run for decides: `auto` (the strongest that works),
/// `require` (bubblewrap, or the gate fails), `off`. It is the runner's owner who sets it: policy cannot weaken it.
struct Confinement: Sendable {
    /// What a command got in the end.
    enum Kind: String, Sendable {
        case bubblewrap
        case user
        case none
    }

    enum Mode: String, CaseIterable, Sendable {
        case auto, require, off
    }

    /// A command as it is started.
    struct Enclosed: Sendable {
        let program: FilePath
        let arguments: [String]
        let kind: Kind
    }

    static let setting = "ml.gateSandbox"

    let mode: Mode
    /// Whose git folder and work tree are not to be seen.
    private let owner: Repository
    private let allowsNetwork: Bool

    init(_ owner: Repository, allowsNetwork: Bool) throws {
        let word = try owner.setting(Self.setting) ?? Mode.auto.rawValue
        guard let mode = Mode(rawValue: word) else {
            throw GateFile(description: "git's setting \(Self.setting) is “\(word)”, and must be auto, require or off")
        }
        self.mode = mode
        self.owner = owner
        self.allowsNetwork = allowsNetwork
    }

    /// Finds the strongest enclosure that works here, by trying it.
    ///
    /// `writable` are the folders that the command may change: they are the other user's until ``release(_:)``.
    func enclose(
        _ program: FilePath, _ arguments: [String], in directory: FilePath, writable: [FilePath],
        path: String?
    ) throws -> Enclosed {
        let plain = Enclosed(program: program, arguments: arguments, kind: .none)
        if mode == .off { return plain }
        let other = Self.isRoot ? Self.asOtherUser : []
        var choices: [(Kind, [String])] = []
        if let bubblewrap = ChildProcess.find("bwrap") {
            let view = SandboxView(
                owner: owner, writable: writable, programs: [program], path: path ?? "", forOthers: Self.isRoot)
            let words = try view.arguments(directory: directory, allowsNetwork: allowsNetwork, isRoot: Self.isRoot)
            choices.append((.bubblewrap, [bubblewrap.string] + words + other))
        }
        if !other.isEmpty, mode == .auto { choices.append((.user, other)) }
        // The folders are there by their real paths only.
        let folder = SandboxView.real(program.removingLastComponent().string)
        let inside = program.lastComponent.map { FilePath(folder).appending($0) } ?? program
        if Self.isRoot { for folder in writable { Self.give(folder, to: Self.otherUser) } }
        for (kind, words) in choices where Self.works(words, in: directory) {
            return Enclosed(
                program: FilePath(words[0]), arguments: Array(words.dropFirst()) + [inside.string] + arguments,
                kind: kind)
        }
        release(writable)
        guard mode == .auto else {
            throw GateFile(
                description: "\(Self.setting) asks for bubblewrap, which is not installed or does not work here")
        }
        return plain
    }

    /// Takes the folders back.
    func release(_ writable: [FilePath]) {
        guard Self.isRoot, mode != .off else { return }
        for folder in writable { Self.give(folder, to: 0) }
    }

    // MARK: - The other user

    private static var isRoot: Bool { geteuid() == 0 }

    /// One of those that systemd gives to services for a while, so nobody else's; another for each runner.
    private static let otherUser = UInt32(61_184 + getpid() % 4_336)

    /// Empty where there is no `setpriv`.
    private static var asOtherUser: [String] {
        guard let setpriv = ChildProcess.find("setpriv") else { return [] }
        return [
            setpriv.string, "--reuid", "\(otherUser)", "--regid", "\(otherUser)", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all", "--bounding-set=-all", "--",
        ]
    }

    /// Links are given as links.
    private static func give(_ path: FilePath, to user: UInt32) {
        _ = path.withPlatformString { lchown($0, user, user) }
        guard Files.status(path)?.kind == .directory, let names = try? Files.list(path) else { return }
        for name in names { give(path.appending(name), to: user) }
    }

    private static func works(_ words: [String], in directory: FilePath) -> Bool {
        guard let program = words.first, let test = ChildProcess.find("true"),
            let nothing = try? FileDescriptor.open("/dev/null", .readWrite, options: .closeOnExec)
        else { return false }
        defer { try? nothing.close() }
        guard
            let process = try? Spawn.start(
                FilePath(program), words.dropFirst() + [test.string], environment: [:], in: directory, input: nothing,
                output: nothing, errors: nothing, group: .session)
        else { return false }
        var status: Int32 = -1
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status == 0
    }
}
