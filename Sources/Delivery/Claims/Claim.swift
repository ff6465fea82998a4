internal import Base
internal import GitKit
internal import SystemPackage

/// A runner's lease on one assignment: the message of the commit at `refs/ml/claims/…` (`formats.md`).
struct Claim: Sendable, Equatable {
    static let prefix = "refs/ml/claims/"

    /// The full name of the stage's tag: `refs/tags/churn#prod#4`.
    let tag: String
    let holder: RunnerIdentity
    /// Grows with every new holder: what an older one writes later counts for nothing.
    let fence: Int
    let taken: Timestamp
    /// How long it holds without being renewed, in seconds.
    let lease: Double

    var ref: String { Self.ref(tag) }

    static func ref(_ tag: String) -> String { prefix + Digest.of(tag).hex.prefix(40) }

    init(tag: String, holder: RunnerIdentity, fence: Int, taken: Timestamp = .now(), lease: Double) {
        self.tag = tag
        self.holder = holder
        self.fence = fence
        self.taken = taken
        self.lease = lease
    }

    /// Reads a commit's message; nil when it is none.
    init?(_ message: String) {
        guard let json = try? JSON.parse(message.trimmingTrailingSpace), let tag = json["tag"]?.string,
            let holder = json["holder"]?.string, let fence = json["fence"]?.int,
            let taken = json["taken"]?.string.flatMap({ Timestamp($0) })
        else { return nil }
        self.init(
            tag: tag, holder: RunnerIdentity(holder), fence: Int(fence), taken: taken,
            lease: json["lease"]?.double ?? 60)
    }

    var message: String {
        let json: JSON = [
            "tag": .string(tag), "holder": .string(holder.text), "fence": .int(Int64(fence)),
            "taken": .string(taken.description), "lease": .number(lease),
        ]
        return "\(json)\n"
    }
}

/// Who holds a claim: `HOST/STATE/PID-BEGAN`.
///
/// The state's name tells two runners of one machine apart, the process one that was killed from one that works.
struct RunnerIdentity: Sendable, Equatable {
    let text: String

    init(_ text: String) { self.text = text }

    /// This process, working with a state folder.
    init(state: FilePath) throws {
        let file = state.appending("runner-id")
        let own = try FileLock.with(state.appending("runner-id.lock")) {
            if let text = try Files.readText(file), !text.isEmpty { return text.trimmingTrailingSpace }
            let new = UUIDv7().description
            try Files.replace(file, with: (new + "\n").utf8)
            return new
        }
        let process = ProcessIdentity(getpid())
        text = "\(Self.host())/\(own)/\(process.id)-\(process.began)"
    }

    /// Whether it was a process of this machine and this state, and has ended: nobody needs to wait for its lease.
    func hasEnded(asSeenBy other: RunnerIdentity) -> Bool {
        let (mine, theirs) = (text.split(separator: "/"), other.text.split(separator: "/"))
        guard mine.count == 3, theirs.count == 3, mine[0...1] == theirs[0...1], text != other.text else { return false }
        let words = mine[2].split(separator: "-", maxSplits: 1)
        guard words.count == 2, let id = Int32(words[0]) else { return false }
        return !ProcessIdentity(id: id, began: String(words[1])).isRunning
    }

    private static func host() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .replacing("/", with: "-")
    }
}

/// When this runner's state first saw each claim: a lease's age counts from then, by a clock that nobody sets.
struct ClaimSights {
    private let file: FilePath
    private let boot: String

    init(state: FilePath) {
        file = state.appending("claims.json")
        boot = ((try? Files.readText("/proc/sys/kernel/random/boot_id")) ?? "").trimmingTrailingSpace
    }

    /// Seconds since the claim at `ref` was first seen to be this commit; 0 when that is now.
    func age(of commit: ObjectID, at ref: String) throws -> Double {
        let now = Self.uptime()
        return try FileLock.with(FilePath(file.string + ".lock")) {
            var all = try Files.readText(file).flatMap { try? JSON.parse($0) }?.members ?? []
            let seen = all.first { $0.key == ref }?.value
            if seen?["id"]?.string == commit.hex, seen?["boot"]?.string == boot, let since = seen?["since"]?.double,
                since <= now
            {
                return now - since
            }
            all.removeAll { $0.key == ref }
            // Those of claims that have gone are of no use; the latest hundred do.
            all = all.suffix(99)
            all.append(
                JSON.Member(
                    ref, ["id": .string(commit.hex), "boot": .string(boot), "since": .number(now)] as JSON))
            try Files.replace(file, with: "\(JSON.object(all))\n".utf8)
            return 0
        }
    }

    private static func uptime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
