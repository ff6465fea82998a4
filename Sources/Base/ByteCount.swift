/// Byte counts as people read and write them.
public enum ByteCount {
    private static let units = ["B", "kB", "MB", "GB", "TB", "PB"]

    /// Formats with three significant digits and decimal units, as disks and git-lfs do: `1.21 MB`.
    public static func format(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        if unit == 0 { return "\(bytes) B" }
        return "\(Decimal.format(value, digits: value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) \(units[unit])"
    }

    /// Reads `500`, `10kB`, `50 MB`, `2GiB`; nil when it is none of these.
    public static func parse(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(digits), value >= 0 else { return nil }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        let names = ["b", "k", "m", "g", "t", "p"]
        var factor = 1.0
        if !unit.isEmpty {
            guard let power = names.firstIndex(of: String(unit.prefix(1))) else { return nil }
            let rest = unit.dropFirst()
            guard power == 0 ? rest.isEmpty : ["", "b", "ib"].contains(String(rest)) else { return nil }
            for _ in 0..<power { factor *= rest == "ib" ? 1024 : 1000 }
        }
        let bytes = value * factor
        return bytes < 9e18 ? Int64(bytes) : nil
    }
}

/// Numbers as text without the locale.
public enum Decimal {
    /// Formats with the digits that matter: four behind the point, none for whole numbers.
    public static func short(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "inf" : "-inf" }
        if value == value.rounded(), value.magnitude < 1e15 { return String(Int64(value)) }
        return value.magnitude < 0.0001 || value.magnitude >= 1e9 ? "\(value)" : format(value, digits: 4)
    }

    /// Formats with a fixed number of digits behind the point.
    public static func format(_ value: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 9e18 else { return "\(value)" }
        let whole = Int64(scaled)
        let sign = value < 0 && whole != 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fraction = String(whole % Int64(scale))
        return "\(sign)\(whole / Int64(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }
}

extension Duration {
    /// Seconds as people say them: `12.4 s`, `3 min 20 s`, `2 h 5 min`.
    public static func text(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds.magnitude < 1e12 else { return "\(seconds) s" }
        if seconds < 99.95 { return "\(Decimal.format(seconds, digits: seconds < 9.995 ? 2 : 1)) s" }
        let whole = Int64(seconds.rounded())
        return whole < 5400
            ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}
