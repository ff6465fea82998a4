internal import Base
internal import Synchronization
internal import SystemPackage

/// Measures what the processes of a run use, about once a second: lines for `system.jsonl`.
///
/// `system/cpu_utilization_percentage` is their share of all cores; `system/memory_usage_megabytes` what they hold; with a
/// GPU that `nvidia-smi` tells of, `system/gpu_0_utilization_percentage` and `system/gpu_0_memory_usage_megabytes`.
final class SystemSampler {
    private let file: FilePath
    private let start = ContinuousClock.now
    private var before: (ticks: Int64, at: ContinuousClock.Instant)?
    private var step: Int64 = 0
    private var next = ContinuousClock.now
    private let gpus = GPUs()
    /// The most memory seen at once, in bytes.
    private(set) var peakMemory: Int64 = 0

    init(_ file: FilePath) { self.file = file }

    /// Takes a sample of a process group; the longer a run, the rarer, so that there are some thousands at most.
    func sample(group: Int32) {
        let usage = Self.usage(of: group)
        peakMemory = max(peakMemory, usage.memory)
        let now = ContinuousClock.now
        guard now >= next else { return }
        next = now + max(.milliseconds(900), (now - start) / 2000)
        var members = [
            JSON.Member("step", .int(step)), JSON.Member("time", .string(Timestamp.now().description)),
            JSON.Member("system/memory_usage_megabytes", .double(Self.rounded(Double(usage.memory) / 1e6))),
        ]
        if let before {
            let seconds = (now - before.at).inSeconds * Double(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
            let used = Double(usage.ticks - before.ticks) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
            let share = min(100, max(0, 100 * used / max(seconds, 0.001)))
            members.append(JSON.Member("system/cpu_utilization_percentage", .double(Self.rounded(share))))
        }
        members += gpus.latest()
        before = (usage.ticks, now)
        step += 1
        // A lost sample is no reason to disturb the run.
        let line = JSON.object(members).description + "\n"
        if let file = try? FileDescriptor.open(
            file, .writeOnly, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite, .groupRead])
        {
            _ = try? file.writeAll(line.utf8)
            try? file.close()
        }
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    /// Ticks of processor time and bytes of memory of all processes in a group, from `/proc`.
    private static func usage(of group: Int32) -> (ticks: Int64, memory: Int64) {
        var (ticks, pages): (Int64, Int64) = (0, 0)
        let wanted = String(group)
        for name in (try? Files.list("/proc")) ?? [] where name.utf8.allSatisfy({ (48...57).contains($0) }) {
            guard let text = try? Files.readText(FilePath("/proc/\(name)/stat")), let close = text.lastIndex(of: ")")
            else { continue }
            let fields = text[text.index(after: close)...].split(separator: " ")
            guard fields.count > 21, fields[2] == wanted else { continue }
            // utime, stime and those of children waited for; then the resident set in pages.
            for field in fields[11...14] { ticks += Int64(field) ?? 0 }
            pages += Int64(fields[21]) ?? 0
        }
        return (ticks, pages * Int64(sysconf(Int32(_SC_PAGESIZE))))
    }
}

/// What `nvidia-smi` says, asked on a thread of its own because an answer takes it a while.
private final class GPUs: Sendable {
    private let values = Mutex<[JSON.Member]>([])
    private let isGone = Atomic(false)

    init() {
        guard let program = ChildProcess.find("nvidia-smi") else { return }
        Threads.start { [weak self] in
            while let self, !self.isGone.load(ordering: .relaxed) {
                guard let rows = MachineInfo.gpuRows(program, "utilization.gpu,memory.used") else { return }
                let members = rows.enumerated().flatMap { i, row -> [JSON.Member] in
                    guard row.count == 2, let share = Double(row[0]), let memory = Double(row[1]) else { return [] }
                    return [
                        JSON.Member("system/gpu_\(i)_utilization_percentage", .double(share)),
                        JSON.Member("system/gpu_\(i)_memory_usage_megabytes", .double(memory * 1.048576)),
                    ]
                }
                values.withLock { $0 = members }
                usleep(2_000_000)
            }
        }
    }

    deinit { isGone.store(true, ordering: .relaxed) }

    func latest() -> [JSON.Member] { values.withLock { $0 } }
}
