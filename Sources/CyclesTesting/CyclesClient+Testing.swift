public import Cycles

extension CyclesClient {
    /// Creates a client whose leases and retries run by a manual clock.
    ///
    /// Heartbeats and retries that become due are performed by ``ManualClock/advance(by:)``, before it returns. Over a
    /// transport that answers without waiting, such as ``LocalAuthority``, ``MockTransport`` or ``FaultyTransport``,
    /// they have also been answered by then: tests need neither sleep nor wait.
    /// - Parameters:
    ///   - configuration: The configuration. Delays have no jitter.
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
        return try CyclesClient(configuration: configuration, environment: .testing(.tasks(carrier), clock))
    }
}

extension BlockingCyclesClient {
    /// Creates a blocking client whose leases and retries run by a manual clock, as
    /// ``Cycles/CyclesClient/testing(configuration:transport:clock:)`` does.
    ///
    /// A call that waits for a retry continues when another thread advances the clock.
    /// - Throws: ``CyclesError/configuration(_:)`` that names the invalid setting.
    public static func testing(
        configuration: CyclesConfiguration,
        transport: any BlockingHTTPTransport,
        clock: ManualClock
    ) throws(CyclesError) -> BlockingCyclesClient {
        let carrier = InlineCallbackTransport(transport)
        return try BlockingCyclesClient(
            configuration: configuration,
            environment: .testing(ClientTransport(calls: carrier, background: carrier, blocksCallers: true), clock)
        )
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
