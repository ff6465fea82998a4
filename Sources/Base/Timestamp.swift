/// A moment in UTC, in whole microseconds since 1970: how event lines tell the time.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }
    public init(seconds: Int64) { microseconds = seconds * 1_000_000 }

    /// The system clock.
    public static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// Seconds from `other` to this moment.
    public func seconds(since other: Timestamp) -> Double { Double(microseconds - other.microseconds) / 1e6 }

    /// This moment and so many seconds.
    public func advanced(bySeconds seconds: Double) -> Timestamp {
        Timestamp(microseconds: microseconds &+ Int64(max(-4e15, min(4e15, (seconds * 1e6).rounded()))))
    }

    /// RFC 3339 with microseconds: `2026-11-23T15:04:05.123456Z`.
    public var description: String {
        let second = microseconds.floorDivided(by: 1_000_000)
        let fraction = microseconds - second * 1_000_000
        return rfc3339(second) + "." + padded(fraction, 6) + "Z"
    }

    /// RFC 3339 with whole seconds: `2026-11-23T15:04:05Z`, as image configs and manifests carry it.
    public var wholeSeconds: String { rfc3339(microseconds.floorDivided(by: 1_000_000)) + "Z" }

    /// `2026-11-23 15:04`, for tables.
    public var minutes: String { String(wholeSeconds.prefix(16).map { $0 == "T" ? " " : $0 }) }

    private func rfc3339(_ second: Int64) -> String {
        let day = second.floorDivided(by: 86_400)
        let rest = second - day * 86_400
        let (year, month, dayOfMonth) = Self.civil(day)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
            + "T\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
    }

    /// Reads RFC 3339 in UTC (`Z`), with up to nine digits of a second.
    public init?(_ text: some StringProtocol) {
        let units = Array(text.utf8)
        guard units.count >= 20, units.last == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for i in range {
                guard (48...57).contains(units[i]) else { return nil }
                value = value * 10 + Int64(units[i] - 48)
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            units[4] == 45, units[7] == 45, units[10] == 84, units[13] == 58, units[16] == 58,
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var fraction: Int64 = 0
        if units.count > 20 {
            guard units[19] == UInt8(ascii: "."), units.count <= 30,
                let digits = number(20..<min(units.count - 1, 26)), number(20..<units.count - 1) != nil
            else { return nil }
            fraction = digits
            for _ in 0..<max(0, 6 - (units.count - 21)) { fraction *= 10 }
        }
        let days = Self.days(year, month, day)
        guard Self.civil(days) == (year, month, day) else { return nil }  // the 30th of February
        microseconds = ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction
    }

    // Days and dates by Howard Hinnant's "chrono-compatible low-level date algorithms" (public domain).
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let part = (5 * ofYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        return (year + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * part + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = year.floorDivided(by: 400)
        let ofEra = year - era * 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
