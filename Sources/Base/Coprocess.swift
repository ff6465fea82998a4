public import SystemPackage

/// A child process that synchronous code talks to over pipes.
///
/// Sending never blocks on a child that waits for somebody to read what it prints: whatever it prints meanwhile is
/// taken in. One thread at a time may use a value; its owner's lock sees to that. When the value goes, the child sees
/// the end of its input and is waited for; one that does not end within a second is ended.
public final class Coprocess: @unchecked Sendable {  // used under its owner's lock
    private let process: Int32
    private var input: Int32
    private let output: Int32
    private let errorOutput: Int32
    private var incoming: [UInt8] = []
    /// How much of `incoming` has been handed out.
    private var taken = 0
    private var openOutputs: Set<Int32>
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private var status: Int32?
    /// The first 64 KiB of what it printed to standard error.
    public private(set) var errors: [UInt8] = []

    /// Starts a program; `environment` is its whole environment.
    public init(
        _ program: FilePath, _ arguments: [String], environment: [String: String], in directory: FilePath? = nil
    ) throws {
        var ends: [Int32] = []
        defer { for end in ends { close(end) } }
        func pair() throws -> (own: Int32, other: Int32) {
            let pair = try Self.pair(program)
            ends += [pair.own, pair.other]
            return pair
        }
        let (input, output, errors) = (try pair(), try pair(), try pair())
        process = try Spawn.start(
            program, arguments, environment: environment, in: directory,
            input: FileDescriptor(rawValue: input.other), output: FileDescriptor(rawValue: output.other),
            errors: FileDescriptor(rawValue: errors.other))
        ends = [input.other, output.other, errors.other]
        (self.input, self.output, errorOutput) = (input.own, output.own, errors.own)
        openOutputs = [output.own, errors.own]
        _ = fcntl(input.own, F_SETFL, fcntl(input.own, F_GETFL) | O_NONBLOCK)
    }

    /// Sockets rather than pipes: writing into one whose other end is gone need not raise SIGPIPE, and no child that
    /// another thread starts at this moment can inherit one and keep it open.
    private static func pair(_ program: FilePath) throws -> (own: Int32, other: Int32) {
        var pair: [Int32] = [-1, -1]
        #if os(Linux)
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        #else
        let kind = SOCK_STREAM
        #endif
        guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
            throw FileFailure("start", program, Errno(rawValue: errno))
        }
        #if !os(Linux)
        for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        #endif
        return (pair[0], pair[1])
    }

    deinit {
        room.deallocate()
        closeInput()
        close(output)
        close(errorOutput)
        if status == nil { _ = reap(patience: 1000) }
    }

    // MARK: Talking

    /// Sends bytes; what a child that has ended no longer reads is dropped.
    public func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count, input >= 0 {
            let count = bytes.withUnsafeBytes { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                return sendQuietly(input, base + sent, buffer.count - sent)
            }
            if count >= 0 {
                sent += count
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                pump(orUntilWritable: true)
            } else if errno != EINTR {
                closeInput()
            }
        }
    }

    /// Shows the child the end of its input.
    public func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// The next line without its end; nil when there is none.
    public func line() -> [UInt8]? {
        var searched = taken
        while true {
            if let end = incoming[searched...].firstIndex(of: 0x0a) {
                defer { advance(to: end + 1) }
                return Array(incoming[taken..<end])
            }
            searched = incoming.count
            guard openOutputs.contains(output) else { return nil }
            pump()
        }
    }

    /// The next bytes, exactly so many; nil when it prints fewer.
    public func bytes(_ count: Int) -> [UInt8]? {
        while incoming.count - taken < count {
            guard openOutputs.contains(output) else { return nil }
            pump()
        }
        defer { advance(to: taken + count) }
        return Array(incoming[taken..<taken + count])
    }

    /// All that is still to come, after the end of its input.
    public func rest() -> [UInt8] {
        closeInput()
        while !openOutputs.isEmpty { pump() }
        defer { (incoming, taken) = ([], 0) }
        return taken == 0 ? incoming : Array(incoming[taken...])
    }

    /// The exit status; 128 + the signal's number when a signal ended it.
    public func wait() -> Int32 {
        if let status { return status }
        let status = reap(patience: nil)
        self.status = status
        return status
    }

    // MARK: Plumbing

    private func advance(to position: Int) {
        taken = position
        if taken == incoming.count {
            incoming.removeAll(keepingCapacity: incoming.capacity <= 1 << 20)
            taken = 0
        } else if taken > 1 << 20 {
            // A child that never falls silent must not fill the memory.
            incoming.removeFirst(taken)
            taken = 0
        }
    }

    /// Waits until something can be read (or written) and takes in what there is.
    private func pump(orUntilWritable: Bool = false) {
        var waits = openOutputs.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        if orUntilWritable, input >= 0 { waits.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0)) }
        guard !waits.isEmpty, poll(&waits, nfds_t(waits.count), -1) > 0 else { return }
        for wait in waits where wait.fd != input && wait.revents != 0 { take(from: wait.fd) }
    }

    private func take(from descriptor: Int32) {
        let count = read(descriptor, room.baseAddress, room.count)
        let piece = UnsafeRawBufferPointer(rebasing: room[..<max(0, count)])
        if descriptor == output {
            incoming.append(contentsOf: piece)
        } else if errors.count < 1 << 16 {
            errors.append(contentsOf: piece)
        }
        if count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN) { openOutputs.remove(descriptor) }
    }

    /// Waits for the child's end; with a patience in milliseconds, one that goes on is ended after it.
    private func reap(patience: Int?) -> Int32 {
        var state: Int32 = 0
        var waited = 0
        while true {
            let done = waitpid(process, &state, patience == nil ? 0 : WNOHANG)
            if done == process { break }
            if done < 0, errno != EINTR { return 0 }
            guard let patience else { continue }
            if waited == patience { kill(process, SIGKILL) }
            usleep(waited < 10 ? 200 : 1000)
            waited += 1
        }
        let signal = state & 0x7f
        return signal == 0 ? (state >> 8) & 0xff : 128 + signal
    }
}

/// `send(2)` without SIGPIPE.
private func sendQuietly(_ socket: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    #if os(Linux)
    return Int(send(socket, bytes, count, Int32(MSG_NOSIGNAL)))
    #else
    var on: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
    return send(socket, bytes, count, 0)
    #endif
}
