internal import Base
internal import SystemPackage

/// Runs a program to its end within limits of time and memory; whatever it has started ends with it.
struct LimitedProcess: Sendable {
    let program: FilePath
    let arguments: [String]
    /// The whole environment.
    let environment: [String: String]
    let directory: FilePath
    let time: Duration
    /// In bytes, of all its processes together; nil: no limit.
    let memory: Int64?
    /// The most processes at a time.
    var processes = Self.usualProcesses
    /// The most bytes in one file that it writes.
    var fileSize = Self.usualFileSize
    /// What stands around it; nil: nothing.
    var confinement: Confinement?
    /// The folders that it may write to, where it is confined.
    var writable: [FilePath] = []

    static let usualProcesses: Int64 = 4_096
    static let usualFileSize: Int64 = 100_000_000_000

    /// Why it was ended before it ended by itself.
    enum Stop: Equatable {
        case time
        case memory(Int64)
        case processes(Int)
        /// Somebody wants us to end.
        case signal(Int32)
    }

    struct Outcome {
        /// The exit status; 128 + the signal's number when a signal ended it.
        var status: Int32
        var stop: Stop?
        var seconds: Double
        /// Standard output and standard error, as they came.
        var log: BoundedLog
        var confinement = Confinement.Kind.none
    }

    /// Runs it on a thread of its own.
    func run() async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            Threads.start { continuation.resume(with: Result { try runBlocking() }) }
        }
    }

    private func runBlocking() throws -> Outcome {
        let command =
            try confinement?.enclose(program, arguments, in: directory, writable: writable, path: environment["PATH"])
            ?? Confinement.Enclosed(program: program, arguments: arguments, kind: .none)
        defer { confinement?.release(writable) }
        let signals = try SignalPipe([SIGINT, SIGTERM, SIGHUP, SIGCHLD])
        let clock = ContinuousClock.now
        let pipe = try FileDescriptor.pipe()
        defer { try? pipe.readEnd.close() }
        let mark = UUIDv7().description
        let process = try start(command, writing: pipe.writeEnd, mark)
        let family = ProcessFamily(leader: process, mark: "\(Self.markName)=\(mark)")
        defer { family.end() }
        if limits.words.isEmpty { limits.set(on: process) }
        var state = State(deadline: clock + time)
        while state.isGoingOn {
            wait(on: [signals.input.rawValue, state.isOpen ? pipe.readEnd.rawValue : -1])
            for signal in signals.received() where signal != SIGCHLD { state.stop = state.stop ?? .signal(signal) }
            take(from: pipe.readEnd, &state)
            reap(process, &state)
            guard state.status == nil else { continue }
            look(at: family, &state)
            guard state.stop != nil else { continue }
            family.end()
            // A process that the kernel does not let go of (a dead network disk) is not waited for.
            if state.giveUp.map({ $0 < .now }) ?? false { break }
            state.giveUp = state.giveUp ?? .now + .seconds(30)
        }
        return Outcome(
            status: state.status ?? 128 + SIGKILL, stop: state.stop, seconds: (ContinuousClock.now - clock).inSeconds,
            log: state.log, confinement: command.kind)
    }

    private static let markName = "GIT_ML_GATE"

    private struct State {
        let deadline: ContinuousClock.Instant
        var log = BoundedLog()
        var isOpen = true
        var status: Int32?
        var stop: Stop?
        var nextLook = ContinuousClock.now
        var giveUp: ContinuousClock.Instant?
        /// After its end the pipe may be held open by what it left in the background.
        var drainUntil: ContinuousClock.Instant?

        var isGoingOn: Bool { status == nil || (isOpen && drainUntil.map { $0 > .now } ?? true) }
    }

    private func start(_ command: Confinement.Enclosed, writing output: FileDescriptor, _ mark: String) throws -> Int32
    {
        let nothing = try FileDescriptor.open("/dev/null", .readOnly, options: .closeOnExec)
        defer {
            try? nothing.close()
            try? output.close()
        }
        guard program.withPlatformString({ access($0, X_OK) }) == 0 else {
            throw FileFailure("start", program, Errno(rawValue: errno))
        }
        let words = limits.words + [command.program.string] + command.arguments
        return try Spawn.start(
            FilePath(words[0]), Array(words.dropFirst()),
            environment: environment.merging([Self.markName: mark]) { $1 },
            in: directory,
            input: nothing, output: output, errors: output, group: .session)
    }

    /// What the kernel can see to by itself.
    private var limits: ProcessLimits {
        ProcessLimits(data: memory, fileSize: fileSize, processes: confinement == nil ? nil : processes)
    }

    private func wait(on descriptors: [Int32]) {
        var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polls, nfds_t(polls.count), 100)
    }

    /// Takes in what is there, for some milliseconds at most: a program that prints without end has limits too.
    private func take(from pipe: FileDescriptor, _ state: inout State) {
        guard state.isOpen else { return }
        _ = fcntl(pipe.rawValue, F_SETFL, O_NONBLOCK)
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            for _ in 0..<256 {
                let count = read(pipe.rawValue, buffer.baseAddress, buffer.count)
                if count == 0 { state.isOpen = false }
                if count <= 0 { return }
                state.log.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    private func reap(_ process: Int32, _ state: inout State) {
        var status: Int32 = 0
        guard state.status == nil, waitpid(process, &status, WNOHANG) == process else { return }
        let signal = status & 0x7f
        state.status = signal == 0 ? (status >> 8) & 0xff : 128 + signal
        state.drainUntil = .now + .milliseconds(500)
    }

    private func look(at family: ProcessFamily, _ state: inout State) {
        let now = ContinuousClock.now
        if now > state.deadline { state.stop = state.stop ?? .time }
        guard now >= state.nextLook else { return }
        state.nextLook = now + .milliseconds(200)
        let count = family.count
        if count > processes { state.stop = state.stop ?? .processes(count) }
        guard let memory else { return }
        let held = family.memory(limit: memory)
        if held > memory { state.stop = state.stop ?? .memory(held) }
    }
}
