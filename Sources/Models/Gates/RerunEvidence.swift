internal import Base
internal import GitKit
internal import Runs
internal import Storage
internal import SystemPackage

/// `evidence: rerun`: the recorded command, run again from the recorded code and data, gives the metrics that gates judge.
///
/// The command is the one that the note names: with this evidence policy lets whoever may push a note choose it. It is confined
/// as commands of gates are (``Confinement``), with the same limits, and its run is recorded and linked to the first; what it
/// prints is that run's log.
struct RerunEvidence: Sendable {
    /// The largest relative difference that counts as none: that of sums taken in another order.
    static let tolerance = 1e-6

    let repository: Repository
    let model: ModelName
    let remote: (@Sendable () throws -> any ObjectRemote)?
    let limits: GateLimits
    let say: @Sendable (String) -> Void

    /// How long it may take where `limits` do not say: ten times what was recorded, within ten minutes and a day.
    private func time(_ run: Run) -> Duration {
        limits.time ?? .seconds(min(86_400, max(600, 10 * (run.seconds ?? 360))))
    }

    /// `metrics` are those that gates name; with none of them all that were recorded count.
    func check(_ run: Run, metrics: Set<String>) async throws -> GateResult {
        let text = "evidence: rerun"
        let project = try Project.at(run.commit, in: repository) ?? Project()
        let reproduction = Reproduction(
            of: run, in: repository, settings: project.record, modelPaths: project.modelPaths, remote: try remote?())
        let home = try CommandGate.home()
        defer { try? Files.removeTree(home) }
        let nothing = try FileDescriptor.open("/dev/null", .writeOnly, options: .closeOnExec)
        defer { try? nothing.close() }
        var wish = Reproduction.Wish()
        wish.tolerance = Self.tolerance
        wish.output = nothing
        wish.environment = CommandGate.environment(home: home)
        wish.enclosure = try enclosure(home, wish.environment?["PATH"], time(run))
        say("running the recorded command of \(run.id.prefix(12)) again")
        let report: ReproductionReport
        do { report = try await reproduction.run(wish, say: say) } catch let failure as ReproductionFailure {
            return GateResult(.evidence, text, isPassed: false, "\(failure)")
        }
        if report.new != nil { try reproduction.link(report, in: RunStore(repository)) }
        var result = result(text, report, metrics)
        if let new = report.new, new.status == "killed", new.seconds ?? 0 >= time(run).inSeconds {
            let limit = Decimal.format(time(run).inSeconds, digits: 0)
            result = GateResult(.evidence, text, isPassed: false, "ended after \(limit) s, its limit of time")
        }
        result.seconds = report.new?.seconds
        result.log = report.new?.outputs.first { $0.role == .log }?.digest
        return result
    }

    private func enclosure(
        _ home: FilePath, _ path: String?, _ time: Duration
    ) throws -> @Sendable (FilePath) throws -> Enclosure {
        let confinement = try Confinement(repository, allowsNetwork: limits.allowsNetwork)
        let kernel = ProcessLimits(
            data: limits.memory, fileSize: limits.fileSize ?? LimitedProcess.usualFileSize,
            processes: limits.processes ?? LimitedProcess.usualProcesses)
        return { top in
            var enclosure = Enclosure { program, arguments, directory, folder in
                let command = try confinement.enclose(
                    program, arguments, in: directory, writable: [top, home, folder], path: path)
                let words = kernel.words + [command.program.string] + command.arguments
                return (FilePath(words[0]), Array(words.dropFirst()))
            }
            enclosure.time = time
            enclosure.started = { if kernel.words.isEmpty { kernel.set(on: $0) } }
            enclosure.ended = { folder in confinement.release([top, home, folder]) }
            return enclosure
        }
    }

    private func result(_ text: String, _ report: ReproductionReport, _ wanted: Set<String>) -> GateResult {
        guard report.new != nil, report.verdict != .cannot else {
            return GateResult(.evidence, text, isPassed: false, report.reasons.joined(separator: "; "))
        }
        // The model's own metrics are recorded as `<model>/<key>`.
        let names = wanted.union(wanted.map { "\(model)/\($0)" })
        let judged = report.metrics.filter { wanted.isEmpty || names.contains($0.key) }
        let wrong = judged.filter { $0.agreement == .different || $0.agreement == .missing }
        func shown(_ metric: ReproductionReport.Metric) -> String {
            let values = [metric.old, metric.new].map { $0.map { "\($0)" } ?? "nothing" }
            return "\(metric.key) was \(values[0]) and is \(values[1])"
        }
        let isSameEnd = report.old.exit == nil || report.old.exit == report.new?.exit
        let reasons = (isSameEnd ? [] : report.reasons) + wrong.map(shown)
        guard reasons.isEmpty else {
            return GateResult(.evidence, text, isPassed: false, reasons.joined(separator: "; "))
        }
        return GateResult(.evidence, text, isPassed: true, "run again: " + judged.map(shown).joined(separator: ", "))
    }
}
