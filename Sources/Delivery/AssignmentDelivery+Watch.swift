internal import Base
internal import Models

extension AssignmentDelivery {
    /// Asks what is live as often as `watch` says, from its promotion on; throws when it fails more often than it may.
    ///
    /// Returns early when something else has become live: that is watched by whoever put it there.
    func watch(_ deployment: Deployment, on target: any DeployTarget, _ settings: StageSettings.Watch) async throws {
        let clock = ContinuousClock()
        let promoted = journal?.finished["promote"]?.time ?? .now()
        let rest = settings.duration - .seconds(max(0, Timestamp.now().seconds(since: promoted)))
        let end = clock.now + rest
        var failures = 0
        while clock.now < end {
            try await Task.sleep(for: min(settings.every, end - clock.now))
            if let live = try? await target.live(), live.digest != deployment.digest {
                return say("  \(live.version) is live now: nothing is left to watch")
            }
            guard let failure = try await failure(of: deployment, on: target, settings) else { continue }
            failures += 1
            say("  \(failure)")
            if failures > settings.allowedFailures { throw ProbeFailure("watched after its promotion: \(failure)") }
        }
    }

    private func failure(
        of deployment: Deployment, on target: any DeployTarget, _ settings: StageSettings.Watch
    ) async throws -> String? {
        let started = ContinuousClock.now
        do {
            try await probe(.live, deployment, on: target)
        } catch let error as CancellationError {
            throw error
        } catch {
            return "\(error)"
        }
        let taken = ContinuousClock.now - started
        guard let limit = settings.latency, taken > limit else { return nil }
        return "the probe took \(taken.inSeconds) s, and may take \(limit.inSeconds) s"
    }
}
