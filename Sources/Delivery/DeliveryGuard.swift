internal import Base
internal import GitKit
internal import Synchronization

/// Keeps a delivery's claim while it is worked at, and breaks the work off when the claim is lost or somebody asks for that.
final class DeliveryGuard: Sendable {
    private let claim: HeldClaim
    private let hub: Hub
    private let isCancelled: @Sendable () throws -> String?
    private let state = Mutex(State())

    private struct State {
        var keeper: Task<Void, Never>?
        var stop: (@Sendable () -> Void)?
        var cancelledBy: String?
        var lost: ClaimLost?
    }

    /// `isCancelled` says who has asked to have the delivery broken off.
    init(_ claim: HeldClaim, _ hub: Hub, isCancelled: @escaping @Sendable () throws -> String?) {
        (self.claim, self.hub, self.isCancelled) = (claim, hub, isCancelled)
        let keeper = Task { await keep() }
        state.withLock { $0.keeper = keeper }
    }

    /// Who has asked for an end; nil when nobody has.
    var cancelledBy: String? { state.withLock { $0.cancelledBy } }

    /// Does a part of the work; throws ``ClaimLost`` when the claim went meanwhile.
    func run<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        let work = Task { try await body() }
        let wasStopped = state.withLock { state in
            state.stop = { work.cancel() }
            return state.lost != nil || state.cancelledBy != nil
        }
        if wasStopped { work.cancel() }
        defer { state.withLock { $0.stop = nil } }
        do {
            return try await work.value
        } catch {
            throw state.withLock { $0.lost } ?? error
        }
    }

    /// Lets go of the claim.
    func finish() async {
        let keeper = state.withLock { state in
            defer { state.keeper = nil }
            return state.keeper
        }
        keeper?.cancel()
        _ = await keeper?.value
        await claim.release()
    }

    private func keep() async {
        // Requests of people are seen sooner where they cost no network.
        let pause = min(hub.remote == nil ? 0.5 : 5, claim.lease / 3)
        var renewed = ContinuousClock.now
        while (try? await Task.sleep(for: .seconds(pause))) != nil {
            if ContinuousClock.now >= renewed + .seconds(claim.lease / 3) {
                renewed = .now
                do { try await claim.renew(events: false) } catch let lost as ClaimLost {
                    return state.withLock { state in
                        state.lost = lost
                        state.stop?()
                    }
                } catch {}  // the remote is away: its holder goes on for the lease's term
            }
            if let remote = hub.remote { _ = try? await NotesSync(hub.repository).fetch(remote) }
            guard let by = try? isCancelled() else { continue }
            state.withLock { state in
                guard state.cancelledBy == nil else { return }
                state.cancelledBy = by
                state.stop?()
            }
        }
    }
}
