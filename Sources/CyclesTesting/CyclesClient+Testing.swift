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
        var callbacks: (any CallbackTransport)?
        if !(transport is any CallbackTransport), let blocking = transport as? any BlockingHTTPTransport {
            callbacks = InlineCallbackTransport(blocking)
        }
        return try CyclesClient(
            configuration: configuration,
            transport: transport,
            callbacks: callbacks,
            time: clock,
            randomness: { 0.5 },
            files: (SystemFileSystem(), isInline: true)
        )
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
        try BlockingCyclesClient(
            configuration: configuration,
            transport: transport,
            callbacks: (transport as? any CallbackTransport) ?? InlineCallbackTransport(transport),
            time: clock,
            randomness: { 0.5 },
            files: (SystemFileSystem(), isInline: true)
        )
    }
}
