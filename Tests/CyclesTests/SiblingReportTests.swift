import CyclesSimulation
import CyclesTesting
import Testing

@testable import Cycles

@Suite(.ownThread) struct SiblingReportTests {
    private static let base = "/journal"

    private func writer(
        _ files: SimulatedFiles,
        _ tenant: String,
        _ observer: RecordingObserver,
        _ audience: JournalAudience
    ) -> JournalWriter {
        JournalWriter(
            files,
            directory: Self.base,
            identity: JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("key"), tenant: tenant),
            observer: observer,
            audience: audience,
            threads: .none
        )
    }

    /// Another process has records of a tenant that this process has a client for, but has not worked for.
    @Test(arguments: [["acme", "zenith"], ["zenith", "acme"]])
    func recordsOfATenantThatHasAClientAreNotReported(order: [String]) throws {
        let disk = SimulatedDisk()
        let (observer, audience, files) = (RecordingObserver(), JournalAudience(), disk.process(1))
        let writers = order.map { writer(files, $0, observer, audience) }
        let other = writer(disk.process(2), "zenith", RecordingObserver(), JournalAudience())
        let record = try #require(
            SettlementRecord(
                reservationID: "r",
                baseURL: "http://authority.test",
                mode: .commit,
                commit: .object(Array(#"{"idempotency_key":"k"}"#.utf8)),
                event: nil,
                recordedAtMilliseconds: 0
            )
        )
        #expect(other.writeBlocking(record))
        other.leaveLog("r")
        #expect(disk.paths.contains { $0.hasSuffix(".json") })
        for writer in writers { writer.close {} }
        #expect(observer.events.isEmpty, "\(observer.events)")
    }
}
