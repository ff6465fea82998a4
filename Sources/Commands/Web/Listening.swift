internal import ArgumentParser
internal import Base
internal import SystemPackage
internal import Web

/// Where a server listens, and who may ask it.
struct Listening {
    let host: String
    let port: Int
    /// A file of users.
    let users: String?
    /// Further names that requests may be sent to.
    let allowed: [String]

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is a number from 0 to 65535") }
        if users == nil, !isLoopback {
            throw ValidationError(
                "others can reach \(host): say who may ask with --users FILE, or listen on 127.0.0.1")
        }
    }

    private var isLoopback: Bool {
        host == "localhost" || host == "::1"
            || host.hasPrefix("127.") && host.utf8.allSatisfy { (48...57).contains($0) || $0 == 0x2e }
    }

    func settings() throws -> WebServer.Settings {
        var settings = WebServer.Settings()
        settings.host = host
        settings.port = port
        let hosts = allowed + (["0.0.0.0", "::"].contains(host) ? [] : [host])
        settings.access = try users.map { try Access(file: FilePath($0), hosts: allowed) } ?? Access(hosts: hosts)
        return settings
    }

    /// Runs a server and prints its address once it answers; `started` is told the address too.
    func serve(
        _ run: (@escaping @Sendable (Int) -> Void) async throws -> Void,
        started: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws {
        let name = host.contains(":") ? "[\(host)]" : host
        do {
            try await run { port in
                print("http://\(name):\(port)")
                fflush(nil)
                started("http://\(name):\(port)")
            }
        } catch let failure as any Failure {
            throw failure
        } catch {
            throw ServeFailure(address: "\(name):\(port)", reason: "\(error)")
        }
    }
}

/// An address that cannot be listened on.
struct ServeFailure: Failure {
    let address: String
    let reason: String

    var kind: FailureKind { .user }
    var description: String { "cannot listen on \(address): \(reason)" }
    var hints: [String] { ["choose another --port; 0 takes one that is free"] }
}
