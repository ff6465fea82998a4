internal import Base
internal import Transport

/// Which addresses a server may send us to.
///
/// Servers do keep their bytes elsewhere, so any public host will do; a server on the internet must not make this machine
/// ask its own network. Names that lead there are found by Transport when the connection stands.
enum LFSHref {
    private enum Reach: Int { case linkLocal, loopback, privateNetwork, world }

    static func check(_ address: NetworkAddress, namedBy server: NetworkAddress) throws {
        func refusal(_ why: String) -> RemoteFailure {
            RemoteFailure(
                .unexpectedAnswer, address: server.shown, detail: "it points to \(address.shown), \(why)",
                hints: ["tell whoever runs that server; nothing was sent"])
        }
        guard ["http", "https"].contains(address.scheme) else { throw refusal("which is neither http nor https") }
        guard server.scheme == "http" || address.scheme == "https" else { throw refusal("which is not encrypted") }
        if address.host == server.host { return }
        let (from, to) = (reach(server.host), reach(address.host))
        let isFine =
            switch to {
            case .linkLocal: false
            case .loopback: from == .loopback
            case .privateNetwork: from != .world
            case .world: true
            }
        guard isFine else { throw refusal("which is inside of this machine's own network") }
    }

    private static func reach(_ host: String) -> Reach {
        var host = host[...]
        if host.hasSuffix(".") { host.removeLast() }
        if host == "localhost" || host.hasSuffix(".localhost") { return .loopback }
        if host.contains(":") { return reach6(host) }
        guard let units = number(host) else { return .world }
        return reach4(units)
    }

    private static func reach4(_ address: UInt32) -> Reach {
        switch (address >> 24, address >> 16 & 0xff) {
        case (169, 254): .linkLocal
        case (127, _), (0, _): .loopback
        case (10, _), (172, 16...31), (192, 168), (100, 64...127): .privateNetwork
        default: .world
        }
    }

    private static func reach6(_ host: Substring) -> Reach {
        var address = in6_addr()
        let text = String(host.prefix { $0 != "%" })
        guard inet_pton(AF_INET6, text, &address) == 1 else { return .linkLocal }
        let bytes = withUnsafeBytes(of: &address) { Array($0) }
        if bytes[..<15].allSatisfy({ $0 == 0 }), bytes[15] <= 1 { return .loopback }
        if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xff, bytes[11] == 0xff {
            return reach4(bytes[12...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
        if bytes[0] == 0xfe, bytes[1] & 0xc0 == 0x80 { return .linkLocal }
        return bytes[0] & 0xfe == 0xfc ? .privateNetwork : .world
    }

    /// An IPv4 address in any form that resolvers take: `127.1`, `0x7f000001`, `2130706433`.
    private static func number(_ host: Substring) -> UInt32? {
        var address = in_addr()
        guard inet_aton(String(host), &address) != 0 else { return nil }
        return UInt32(bigEndian: address.s_addr)
    }
}
