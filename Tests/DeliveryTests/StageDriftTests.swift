import Base
import Testing

@testable import Delivery
@testable import GitKit
@testable import Models

/// What is said of a stage, and whether a repair is of use.
@Suite struct StageDriftTests {
    private static let digest = Digest.of(Array("image".utf8))

    private func live(_ digest: Digest = Self.digest, runs: Bool = true) -> StageDrift.Actual {
        .live(LiveDeployment(digest: digest, version: "v1.0.0", commit: nil, address: nil, isRunning: runs))
    }

    private func record(_ status: String, digest: Digest = Self.digest, repair: Bool = false) -> DeliveryRecord {
        var record = DeliveryRecord(
            id: "d", commit: .emptyTree, started: Timestamp(seconds: 1), latest: Timestamp(seconds: 2))
        (record.status, record.digest, record.isRepair) = (status, "\(digest)", repair)
        (record.tag, record.ended) = (ObjectID.emptyTree.hex, Timestamp(seconds: 1000))
        return record
    }

    private func drift(_ recorded: DeliveryRecord?, _ latest: DeliveryRecord?, _ actual: StageDrift.Actual) throws
        -> StageDrift
    {
        let tag = try #require(ModelTag("m#prod#1"))
        let summary = TagSummary(
            id: .emptyTree, name: "m#prod#1", target: .emptyTree, targetKind: .commit, by: nil, email: nil,
            time: Timestamp(seconds: 1))
        return StageDrift(
            model: try #require(ModelName("m")), stage: "prod",
            desired: Assignment("prod", TagEvent(tag, name: "m#prod#1", summary), version: nil), recorded: recorded,
            latest: latest, actual: actual)
    }

    @Test func `what agrees differs in nothing, and what nobody can tell is no difference`() throws {
        let done = record("succeeded")
        for actual in [live(), .unknown, .notDeployed] {
            let drift = try drift(done, done, actual)
            #expect(drift.differences.isEmpty && !drift.wantsRepair())
        }
    }

    @Test func `other content, nothing at all and a dead server are repaired; a target without an answer is not`()
        throws
    {
        let done = record("succeeded")
        for actual in [live(.of([])), .nothing, live(runs: false)] {
            let drift = try drift(done, done, actual)
            #expect(drift.differences.count == 1 && drift.wantsRepair(), "\(actual)")
        }
        let away = try drift(done, done, .unreachable(reason: "away"))
        #expect(away.differences == ["the target cannot be asked: away"] && !away.wantsRepair())
    }

    @Test func `what was never delivered is no drift, and a repair that failed waits before it is tried again`() throws
    {
        let pending = try drift(nil, nil, .nothing)
        #expect(pending.differences == ["m#prod#1 is not delivered yet"] && !pending.wantsRepair())
        let failed = try drift(nil, record("failed"), .nothing)
        #expect(!failed.wantsRepair())
        let repair = try drift(nil, record("failed", repair: true), .nothing)
        #expect(!repair.wantsRepair(at: Timestamp(seconds: 1010)) && repair.wantsRepair(at: Timestamp(seconds: 1400)))
    }
}
