/// Somewhere that ssh leads to, and a path there.
public struct SSHAccount: Hashable, Sendable {
    /// `host` or `user@host`, as ssh takes it.
    public let host: String
    public let port: Int?
    /// As it stands in the address; relative to the home folder without a leading slash.
    public let path: String

    public init(host: String, port: Int?, path: String) {
        self.host = host
        self.port = port
        self.path = path
    }

    /// Reads git's short form: `user@host:path` or `[user@host:port]:path`; nil for anything else.
    init?(shortForm text: String) {
        if text.hasPrefix("["), let close = text.firstIndex(of: "]") {
            let inside = text[text.index(after: text.startIndex)..<close]
            let after = text[text.index(after: close)...]
            guard after.hasPrefix(":") else { return nil }
            let parts = inside.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let host = parts.first, !host.isEmpty, parts.count == 1 || UInt16(parts[1]) != nil else { return nil }
            self.init(
                host: String(host), port: parts.count > 1 ? UInt16(parts[1]).map(Int.init) : nil,
                path: String(after.dropFirst()))
            return
        }
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex, !text[..<colon].contains("/") else {
            return nil
        }
        self.init(host: String(text[..<colon]), port: nil, path: String(text[text.index(after: colon)...]))
    }
}
