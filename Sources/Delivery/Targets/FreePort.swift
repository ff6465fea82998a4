internal import Base
internal import SystemPackage

/// Ports of loopback that nobody listens at.
enum FreePort {
    /// One that was free a moment ago; the system gives others out first.
    static func find() throws -> Int {
        #if os(Linux)
        let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let handle = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        guard handle >= 0 else { throw FileFailure("open", "a socket", Errno(rawValue: errno)) }
        defer { close(handle) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(handle, $0, size) == 0 && getsockname(handle, $0, &size) == 0
            }
        }
        guard isBound else { throw FileFailure("bind", "a port of 127.0.0.1", Errno(rawValue: errno)) }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
