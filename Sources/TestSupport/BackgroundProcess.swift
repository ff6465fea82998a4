public import Base
internal import Synchronization
public import SystemPackage

/// A real server for a test, on a port of its own; ended when the value goes.
public final class BackgroundProcess: Sendable {
    public let identity: ProcessIdentity
    public let log: FilePath

    /// Starts a program; `variables` are laid over this process's environment.
    public init(_ program: FilePath, _ arguments: [String], log: FilePath, variables: [String: String] = [:]) throws {
        self.log = log
        let environment = Daemon.currentEnvironment().merging(variables) { $1 }
        identity = ProcessIdentity(
            try Daemon.start(program, arguments, environment: environment, log: log))
    }

    deinit { identity.signal(SIGKILL) }

    /// Waits until the log holds a text, at most two minutes, and returns the log.
    public func waitForLog(_ text: String) async throws -> String {
        for _ in 0..<2400 {
            let log = try Files.readText(log) ?? ""
            if log.contains(text) { return log }
            guard identity.isRunning else { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Context("the server never said “\(text)”: \(try Files.readText(log) ?? "")", cause: CancellationError())
    }
}

/// A TCP port of loopback that was free a moment ago, and that this process gives out once.
///
/// None of those that the system takes for connections: one of another test could have it before the server does.
public func freePort() -> Int {
    while true {
        let port = UInt16.random(in: 20_000..<32_000)
        if givenPorts.withLock({ $0.insert(port).inserted }), canListen(at: port) { return Int(port) }
    }
}

private let givenPorts = Mutex<Set<UInt16>>([])

private func canListen(at port: UInt16) -> Bool {
    let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(handle) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}
