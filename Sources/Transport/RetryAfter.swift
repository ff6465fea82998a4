public import Base

/// The `Retry-After` header: seconds, or a date.
public enum RetryAfter {
    /// How long the server asks to wait; nil when it does not say, or not in a way that can be read.
    public static func parse(_ text: String?, now: Timestamp = .now()) -> Duration? {
        guard let text = text?.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ") else {
            return nil
        }
        if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
            return Int64(text).map { .seconds(min($0, 365 * 86_400)) }
        }
        guard let date = HTTPDate.parse(text) else { return nil }
        return .milliseconds(Int64(max(0, date.seconds(since: now) * 1000)))
    }
}

/// Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT`.
public enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The moment, from the preferred form or RFC 850's; nil when it is neither.
    public static func parse(_ text: String) -> Timestamp? {
        let words = text.split { $0 == " " || $0 == "-" }
        guard words.count == 6, words[0].hasSuffix(","), words[5] == "GMT", let day = Int(words[1]),
            let month = months.firstIndex(of: String(words[2])), var year = Int(words[3])
        else { return nil }
        // RFC 850's two digits; nobody asks to wait for half a century.
        if words[3].count == 2 { year += 2000 }
        return Timestamp("\(padded(year, 4))-\(padded(month + 1, 2))-\(padded(day, 2))T\(words[4])Z")
    }

    public static func format(_ time: Timestamp) -> String {
        let text = time.wholeSeconds
        let fields = text.dropLast().split { "-T".contains($0) }
        let days = Int((time.microseconds - (time.microseconds % 86_400_000_000)) / 86_400_000_000)
        let month = Int(fields[1]).map { months[$0 - 1] } ?? ""
        return "\(self.days[(days + 4) % 7]), \(fields[2]) \(month) \(fields[0]) \(fields[3]) GMT"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
