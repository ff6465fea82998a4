/// Which peers a redirect to another origin may reach, by the address of the server that sent it.
///
/// A server on the internet must not make this machine ask its own network: cloud metadata, printers, its own services.
struct PeerPolicy: Sendable {
    private let first: Reach

    private enum Reach: Int { case linkLocal, loopback, privateNetwork, world }

    init(redirectedBy peer: String) { first = Self.reach(peer) }

    func allows(_ address: String) -> Bool {
        let reach = Self.reach(address)
        switch reach {
        case .linkLocal: return false
        case .loopback: return first == .loopback
        case .privateNetwork: return first != .world
        case .world: return true
        }
    }

    private static func reach(_ address: String) -> Reach {
        var text = address.lowercased()
        if text.hasPrefix("::ffff:"), text.contains(".") { text = String(text.dropFirst(7)) }
        let parts = text.split(separator: ".").compactMap { Int($0) }
        if parts.count == 4 {
            switch (parts[0], parts[1]) {
            case (169, 254), (0, _): return .linkLocal
            case (127, _): return .loopback
            case (10, _), (172, 16...31), (192, 168), (100, 64...127): return .privateNetwork
            default: return .world
            }
        }
        if text == "::1" { return .loopback }
        if ["fe8", "fe9", "fea", "feb"].contains(where: text.hasPrefix) || text == "::" { return .linkLocal }
        return text.hasPrefix("fc") || text.hasPrefix("fd") ? .privateNetwork : .world
    }
}
