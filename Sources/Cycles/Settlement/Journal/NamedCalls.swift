/// Holds the calls of one identity until the name of its folder is derived. The journal's thread can write the records
/// of other identities meanwhile.
final class NamedCalls: Sendable {
    private struct Line {
        var calls: [@Sendable () -> Void] = []
        var isNamed = false
        /// The thread that performs the held calls.
        var worker: SystemThread?
    }

    private let line = WaitableLock(Line())

    /// Performs a call at once if the name is derived and no earlier call is held. Otherwise holds the call.
    func perform(_ call: @escaping @Sendable () -> Void) {
        let isNow = line.withLock { line, _ in
            if !line.isNamed { line.calls.append(call) }
            return line.isNamed
        }
        if isNow { call() }
    }

    /// Waits until the name is derived and all earlier calls have been performed.
    func wait() {
        _ = line.wait { $0.isNamed || $0.worker == SystemThread.current ? true : nil }
    }

    /// Performs the held calls in order.
    func performAll() {
        while true {
            let calls = line.withLock { line in
                line.worker = line.calls.isEmpty ? nil : SystemThread.current
                line.isNamed = line.calls.isEmpty
                defer { line.calls = [] }
                return line.calls
            }
            if calls.isEmpty { return }
            for call in calls { call() }
        }
    }
}
