#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Blocks this thread: for servers that take their time, never to wait for something.
func pause(_ span: Duration) {
    let (seconds, attoseconds) = span.components
    var wait = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    nanosleep(&wait, nil)
}

/// Waits until something holds that another thread brings about; gives up after ten seconds.
func until(_ condition: () -> Bool) async {
    let deadline = ContinuousClock.now + .seconds(10)
    while !condition(), .now < deadline { try? await Task.sleep(for: .milliseconds(1)) }
}
