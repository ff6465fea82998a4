internal import Base
internal import Transport

/// One request that a server has laid out for us: where to, with which headers, and until when.
struct LFSAction: Sendable, Equatable {
    let href: NetworkAddress
    let headers: [String: String]
    let expires: Timestamp?
    /// Whether what it carries is all that the server needs to know who we are.
    let isAuthenticated: Bool

    func isExpired(at now: Timestamp = .now()) -> Bool {
        expires.map { now.advanced(bySeconds: 5) >= $0 } ?? false
    }

    /// The moment at which an action or a token ends; `expires_in` counts more than `expires_at`, whose clock is another's.
    static func expiry(_ json: JSON, now: Timestamp = .now()) -> Timestamp? {
        if let seconds = json["expires_in"]?.double, seconds != 0 { return now.advanced(bySeconds: seconds) }
        guard let text = json["expires_at"]?.string, let time = Timestamp(offset: text) else { return nil }
        // Go's zero time stands for none.
        return time.microseconds <= 0 ? nil : time
    }

    init?(_ json: JSON, base: NetworkAddress, isAuthenticated: Bool, now: Timestamp = .now()) {
        guard let text = json["href"]?.string, let href = base.resolving(text) else { return nil }
        self.href = href
        headers = (json["header"] ?? .null).texts.filter { Self.isHeader($0.key, $0.value) }
        expires = Self.expiry(json, now: now)
        let names = headers.keys.map { $0.lowercased() }
        self.isAuthenticated =
            isAuthenticated || names.contains("authorization") || href.rest.contains("?token=")
            || href.rest.contains("&token=")
    }

    /// A line break would let a server write headers of its own.
    private static func isHeader(_ name: String, _ value: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
            && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 9 }
    }
}

extension Timestamp {
    /// Reads RFC 3339 with any offset: `2016-11-10T15:29:07+01:00`.
    init?(offset text: String) {
        if let time = Timestamp(text.uppercased()) {
            self = time
            return
        }
        let units = Array(text.utf8)
        guard units.count > 6, let sign = text.utf8.dropLast(5).last,
            sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
            let base = Timestamp(text.dropLast(6).uppercased() + "Z"), let hours = Int64(text.dropLast(3).suffix(2)),
            let minutes = Int64(text.suffix(2)), hours < 24, minutes < 60
        else { return nil }
        let seconds = (hours * 60 + minutes) * 60 * (sign == UInt8(ascii: "+") ? -1 : 1)
        self = base.advanced(bySeconds: Double(seconds))
    }
}
