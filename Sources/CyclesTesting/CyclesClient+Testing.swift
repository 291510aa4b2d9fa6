public import Cycles

extension CyclesClient {
    /// A client whose leases and retries run by a manual clock.
    ///
    /// What is due happens while the clock is advanced, before ``ManualClock/advance(by:)`` returns. Over a transport
    /// that answers without waiting, such as ``LocalAuthority``, ``MockTransport`` or ``FaultyTransport``, that includes
    /// the answers: a test needs no sleeping and no waiting.
    /// - Parameters:
    ///   - configuration: As for any client. Delays are not jittered.
    ///   - transport: Carries the requests.
    ///   - clock: The client's time.
    /// - Throws: ``CyclesError/configuration(_:)`` that names the setting which cannot be used.
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
    /// A blocking client whose leases and retries run by a manual clock, as
    /// ``Cycles/CyclesClient/testing(configuration:transport:clock:)``.
    ///
    /// A call that waits for a retry goes on when another thread advances the clock.
    /// - Throws: ``CyclesError/configuration(_:)`` that names the setting which cannot be used.
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
    /// An environment in which time is that of a clock, delays are not jittered, and the journal works at once.
    package static func testing(
        _ transport: ClientTransport,
        _ clock: ManualClock,
        files: any FileSystem = SystemFileSystem()
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
