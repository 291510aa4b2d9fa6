/// What work without a task needs to reach the server, to tell the time, and to say what happens.
package struct BackgroundPerformer: Sendable {
    package let performer: OperationPerformer
    package let transport: any CallbackTransport
    package let time: any TimeSource
    package let observer: any CyclesObserver
    /// A number from 0 up to 1, another one each time.
    package let randomness: @Sendable () -> Double

    package init(
        performer: OperationPerformer,
        transport: any CallbackTransport,
        time: any TimeSource,
        randomness: (@Sendable () -> Double)? = nil
    ) {
        self.performer = performer
        self.transport = transport
        self.time = time
        observer = performer.observer
        self.randomness = randomness ?? { Double(SystemRandomness.words().0 >> 11) * 0x1p-53 }
    }

    /// Performs an operation that no task waits for, over another transport if one is given.
    package func start<Output>(
        _ operation: Operation<Output>,
        timeout: Duration? = nil,
        trace: TraceContext?,
        over other: (any CallbackTransport)? = nil,
        _ completion: @escaping @Sendable (Attempt<Output>) -> Void
    ) {
        performer.start(
            operation,
            timeout: timeout,
            trace: trace,
            over: other ?? transport,
            completion
        )
    }
}
