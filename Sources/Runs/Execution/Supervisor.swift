internal import Base
internal import SystemPackage

/// Runs a program to its end: passes its output on and keeps a copy, hands signals on, measures.
///
/// The program has a process group of its own, so that a signal reaches all of its workers. On a terminal that group is
/// in the foreground, as a shell does it: Ctrl-C goes to the program, Ctrl-Z stops both.
struct Supervisor {
    /// How it went.
    struct Outcome {
        /// The exit status; 128 + the signal's number when a signal ended it.
        var exit: Int32
        /// Whether somebody stopped it: it did not end by itself.
        var wasStopped: Bool
        var seconds: Double
        /// In bytes.
        var peakMemory: Int64
    }

    let program: FilePath
    let arguments: [String]
    let environment: [String: String]
    /// Where it runs; nil: where this process does.
    let directory: FilePath?
    /// How long it may take; nil: as long as it likes.
    let time: Duration?
    /// Whether it is kept from this process's terminal and input.
    let isEnclosed: Bool
    let log: RunOutput
    /// Called when the program has started, with its process id, which is its group's too.
    let started: (Int32) throws -> Void
    /// Called about once a second while it runs.
    let tick: (Int32) -> Void

    /// How long a program may take to end after a signal before the next, harder one.
    private static let patience = Duration.seconds(10)

    func run() throws -> Outcome {
        let signals = try SignalPipe([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD])
        let clock = ContinuousClock.now
        let (outputs, process) = try start()
        defer { for output in outputs { try? output.close() } }
        let terminal = isEnclosed ? nil : Terminal.take(for: process)
        defer { terminal?.giveBack() }
        try started(process)
        var state = State(process: process, open: outputs.map(\.rawValue), terminal: terminal)
        state.deadline = time.map { clock + $0 }
        while !state.isDone { step(&state, signals.input.rawValue, { signals.received() }) }
        log.finish()
        // What was stopped leaves nothing behind.
        if state.wasStopped { kill(-process, SIGKILL) }
        return Outcome(
            exit: state.exit ?? 70, wasStopped: state.wasStopped, seconds: (ContinuousClock.now - clock).inSeconds,
            peakMemory: state.peakMemory)
    }

    private func start() throws -> ([FileDescriptor], Int32) {
        let (out, err) = (try FileDescriptor.pipe(), try FileDescriptor.pipe())
        defer { for end in [out.writeEnd, err.writeEnd] { try? end.close() } }
        do {
            let nothing = isEnclosed ? try FileDescriptor.open("/dev/null", .readOnly, options: .closeOnExec) : nil
            defer { try? nothing?.close() }
            let process = try Spawn.start(
                program, arguments, environment: environment, in: directory, input: nothing ?? .standardInput,
                output: out.writeEnd, errors: err.writeEnd, group: .new)
            return ([out.readEnd, err.readEnd], process)
        } catch {
            for end in [out.readEnd, err.readEnd] { try? end.close() }
            throw error
        }
    }

    private struct State {
        let process: Int32
        /// The pipes that are still read: standard output and standard error; -1 where one has ended.
        var open: [Int32]
        let terminal: Terminal?
        var exit: Int32?
        var wasStopped = false
        var peakMemory: Int64 = 0
        var lastTick = ContinuousClock.now
        var deadline: ContinuousClock.Instant?
        /// When the next, harder signal is due, and which.
        var escalation: (at: ContinuousClock.Instant, signal: Int32)?
        /// After its end a program's pipes may be held open by what it left in the background.
        var drainUntil: ContinuousClock.Instant?

        var isDone: Bool {
            exit != nil && (open.allSatisfy { $0 < 0 } || drainUntil.map { $0 < .now } ?? false)
        }
    }

    private func step(_ state: inout State, _ signalPipe: Int32, _ received: () -> [Int32]) {
        var waiting = [signalPipe] + state.open
        var polls = waiting.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polls, nfds_t(polls.count), state.exit == nil ? 500 : 50)
        for signal in received() where signal != SIGCHLD { stop(&state, with: signal) }
        waiting.removeFirst()
        for (i, descriptor) in waiting.enumerated() where polls[i + 1].revents != 0 {
            if !log.pass(from: descriptor, isError: i == 1) { state.open[i] = -1 }
        }
        if let deadline = state.deadline, deadline < .now {
            state.deadline = nil
            stop(&state, with: SIGTERM)
        }
        if let due = state.escalation, due.at < .now, state.exit == nil {
            kill(-state.process, due.signal)
            state.escalation = due.signal == SIGKILL ? nil : (.now + Self.patience, SIGKILL)
        }
        if state.exit == nil { reap(&state) }
        if state.exit == nil, ContinuousClock.now - state.lastTick > .milliseconds(950) {
            state.lastTick = .now
            tick(state.process)
        }
    }

    /// The first signal goes on as it is; a second one ends the program at once.
    private func stop(_ state: inout State, with signal: Int32) {
        guard state.exit == nil else { return }
        kill(-state.process, state.wasStopped ? SIGKILL : signal)
        kill(-state.process, SIGCONT)
        state.wasStopped = true
        state.escalation = (.now + Self.patience, SIGTERM)
    }

    private func reap(_ state: inout State) {
        var status: Int32 = 0
        var usage = rusage()
        guard wait4(state.process, &status, WNOHANG | WUNTRACED, &usage) == state.process else { return }
        if status & 0xff == 0x7f {  // stopped, not ended: Ctrl-Z
            state.terminal?.pause(state.process)
            return
        }
        let signal = status & 0x7f
        state.exit = signal == 0 ? (status >> 8) & 0xff : 128 + signal
        if [SIGINT, SIGTERM, SIGHUP, SIGKILL, SIGQUIT].contains(signal) || state.exit == 130 {
            state.wasStopped = true
        }
        state.peakMemory = Int64(usage.ru_maxrss) * 1024
        state.drainUntil = .now + .seconds(1)
    }
}

/// The terminal, lent to a program's process group while it runs.
private struct Terminal {
    private let own: Int32

    /// Puts a group in the foreground; nil where standard input is no terminal, or not ours to give.
    static func take(for group: Int32) -> Terminal? {
        guard isatty(0) == 1, tcgetpgrp(0) == getpgrp() else { return nil }
        signal(SIGTTOU, SIG_IGN)
        guard tcsetpgrp(0, group) == 0 else { return nil }
        // It may have tried to read before it was in the foreground.
        kill(-group, SIGCONT)
        return Terminal(own: getpgrp())
    }

    func giveBack() { _ = tcsetpgrp(0, own) }

    /// Ctrl-Z: stops ourselves too, and goes on with the program when the shell wakes us.
    func pause(_ group: Int32) {
        giveBack()
        kill(0, SIGSTOP)
        _ = tcsetpgrp(0, group)
        kill(-group, SIGCONT)
    }
}
