public import Cycles

extension CyclesClient {
    /// Creates a client whose leases and retries run by a manual clock.
    ///
    /// ``ManualClock/advance(by:)`` performs the heartbeats and retries that become due, before it returns. Over a
    /// transport that answers without waiting, such as ``LocalAuthority``, ``MockTransport`` or ``FaultyTransport``,
    /// their answers have also been handled by then: tests need neither sleep nor wait.
    ///
    /// No call waits for the clock, which might never be advanced. A commit or release whose first attempt fails
    /// returns a settlement that is `queued`, and a flush or shutdown returns after one attempt. Only a flush with a
    /// timeout and `getEvidence(_:waitingUpTo:options:)` wait for the clock.
    /// - Parameters:
    ///   - configuration: The configuration. Delays have no jitter; `retry.inlineBudget` and `retry.flushTimeout` are
    ///     replaced by zero.
    ///   - transport: The transport of all requests.
    ///   - clock: The clock of leases and retries.
    /// - Throws: `CyclesError.configuration` that names the invalid setting.
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
    /// - Throws: `CyclesError.configuration` that names the invalid setting.
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
    /// The configuration without waits for retries, because a manual clock may never end them.
    fileprivate var withoutWaits: CyclesConfiguration {
        var configuration = self
        configuration.retry.inlineBudget = .zero
        configuration.retry.flushTimeout = .zero
        return configuration
    }
}

extension ClientEnvironment {
    /// An environment with a manual clock, without jitter, and with a journal that works on the calling thread. Two
    /// clients share a journal in the same way as two processes.
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
