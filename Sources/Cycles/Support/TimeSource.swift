/// The clock by which a client waits, so that tests can make time pass.
package protocol TimeSource: Sendable {
    /// How much time has passed since some moment in the past; never goes back.
    var monotonic: Duration { get }

    /// Waits. Ends early, throwing, when the task is cancelled.
    func sleep(for span: Duration) async throws(CancellationError)
}

/// The system's clock.
package struct SystemTimeSource: TimeSource {
    private static let origin = ContinuousClock.now

    package init() {}

    package var monotonic: Duration { SystemTimeSource.origin.duration(to: .now) }

    package func sleep(for span: Duration) async throws(CancellationError) {
        do {
            try await Task.sleep(for: span)
        } catch {
            throw CancellationError()
        }
    }
}
