public import Cycles

extension CyclesClient {
    /// Creates a client whose leases and retries run by a manual clock.
    ///
    /// Heartbeats and retries that become due are performed by ``ManualClock/advance(by:)``, before it returns. Over a
    /// transport that answers without waiting, such as ``LocalAuthority``, ``MockTransport`` or ``FaultyTransport``,
    /// they have also been answered by then: tests need neither sleep nor wait.
    ///
    /// No call waits for the clock, which nobody may advance: a commit or release whose first attempt fails returns a
    /// settlement that is `queued`, and a flush or shutdown returns after one attempt. Only a flush with a timeout and
    /// `getEvidence(_:waitingUpTo:options:)` wait for the clock.
    /// - Parameters:
    ///   - configuration: The configuration. Delays have no jitter; `retry.inlineBudget` and `retry.flushTimeout` are
    ///     replaced by zero.
    ///   - transport: The transport of all requests.
    ///   - clock: The clock of leases and retries.
    /// - Throws: ``CyclesError/configuration(_:)`` that names the invalid setting.
    public static func testing(
        configuration: CyclesConfiguration,
        transport: any HTTPTransport,
        clock: ManualClock
    ) throws(CyclesError) -> CyclesClient {
        let carrier: any CallbackTransport =
            if let blocking = transport as? any BlockingHTTPTransport {
                InlineCallbackTransport(blocking)
            } else {
                TaskCallbackTransport(transport)
            }
        return try CyclesClient(
            configuration: configuration.withoutWaits,
            environment: .testing(.tasks(carrier), clock)
        )
    }
}

extension BlockingCyclesClient {
    /// Creates a blocking client whose leases and retries run by a manual clock, as
    /// ``Cycles/CyclesClient/testing(configuration:transport:clock:)`` does.
    ///
    /// Calls do not wait for the clock either.
    /// - Throws: ``CyclesError/configuration(_:)`` that names the invalid setting.
    public static func testing(
        configuration: CyclesConfiguration,
        transport: any BlockingHTTPTransport,
        clock: ManualClock
    ) throws(CyclesError) -> BlockingCyclesClient {
        let carrier = InlineCallbackTransport(transport)
        return try BlockingCyclesClient(
            configuration: configuration.withoutWaits,
            environment: .testing(ClientTransport(calls: carrier, background: carrier, blocksCallers: true), clock)
        )
    }
}

extension CyclesConfiguration {
    /// The configuration without waits for retries, which a manual clock may never end.
    fileprivate var withoutWaits: CyclesConfiguration {
        var configuration = self
        configuration.retry.inlineBudget = .zero
        configuration.retry.flushTimeout = .zero
        return configuration
    }
}

extension ClientEnvironment {
    /// An environment with a manual clock, without jitter, and with a journal that works on the calling thread. Two clients
    /// share a journal as two processes do.
    package static func testing(
        _ transport: ClientTransport,
        _ clock: ManualClock,
        files: any FileSystem = SystemFileSystem(registry: DirectoryRegistry())
    ) -> ClientEnvironment {
        ClientEnvironment(
            transport: transport,
            time: clock,
            randomness: { 0.5 },
            files: files,
            isJournalInline: true
        )
    }
}
