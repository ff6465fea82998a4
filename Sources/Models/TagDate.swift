public import Base

/// The date of a tag: the clock, but at least one second after the model's latest tag.
///
/// So GTO, which orders by these dates, comes to the same order as the counters when two tags are made in one second, and
/// when the clocks of two people differ. A date more than a day ahead is a mistake that is not carried on.
public enum TagDate {
    private static let farthest: Double = 86_400

    /// What git is to be told; nothing when its own clock is right.
    public static func environment(after latest: Timestamp?) -> [String: String?] {
        let given = environmentValue("GIT_COMMITTER_DATE")
        guard let latest, let now = given.map(parse) ?? .now() else { return [:] }
        let date = text(after: latest, now: now)
        return date.map { ["GIT_COMMITTER_DATE": $0] } ?? [:]
    }

    static func text(after latest: Timestamp, now: Timestamp) -> String? {
        let next = latest.microseconds / 1_000_000 + 1
        guard next > now.microseconds / 1_000_000, latest.seconds(since: now) < farthest else { return nil }
        return "@\(next) +0000"
    }

    /// Reads git's own form (`1700000000 +0000`); nil for the others that git understands, which are left to it.
    private static func parse(_ text: String) -> Timestamp? {
        let first = text.drop { $0 == "@" }.split(separator: " ").first
        return first.flatMap { Int64($0) }.map { Timestamp(seconds: $0) }
    }
}
