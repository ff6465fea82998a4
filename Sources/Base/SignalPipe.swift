internal import Synchronization
public import SystemPackage

/// Signals as bytes of a pipe, so that one `poll` can wait for them and for other things at once.
public struct SignalPipe: ~Copyable {
    /// Each byte that can be read is the number of a signal.
    public let input: FileDescriptor
    private let output: FileDescriptor
    private let before: [(number: Int32, action: sigaction)]

    // A handler may only touch what is there without a lock: this is the one number it needs.
    private static let target = Atomic<Int32>(-1)

    /// Takes the signals over until the value goes; one at a time in a process.
    public init(_ signals: [Int32]) throws {
        let pipe = try FileDescriptor.pipe()
        for end in [pipe.readEnd, pipe.writeEnd] {
            _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end.rawValue, F_SETFL, O_NONBLOCK)
        }
        (input, output) = (pipe.readEnd, pipe.writeEnd)
        Self.target.store(output.rawValue, ordering: .relaxed)
        before = signals.map { number in
            var action = sigaction()
            var old = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                let error = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(SignalPipe.target.load(ordering: .relaxed), &byte, 1)
                errno = error
            }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, &old)
            return (number, old)
        }
    }

    deinit {
        for (number, action) in before {
            var action = action
            sigaction(number, &action, nil)
        }
        Self.target.store(-1, ordering: .relaxed)
        try? input.close()
        try? output.close()
    }

    /// The signals that have come since the last call.
    public func received() -> [Int32] {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = bytes.withUnsafeMutableBytes { read(input.rawValue, $0.baseAddress, $0.count) }
        return count > 0 ? bytes.prefix(count).map { Int32($0) } : []
    }
}
