/// Runs work in order on a thread of its own, which ends after 5 seconds without work.
///
/// If the system has no thread, the first caller of ``run(_:)`` runs the work of all callers.
package final class SerialThread: Sendable {
    private struct Line {
        var work: [@Sendable () -> Void] = []
        /// Whether a thread is at work, or is being started.
        var hasThread = false
    }

    private let threads: ThreadSource
    private let line = WaitableLock(Line())

    package init(_ threads: ThreadSource) { self.threads = threads }

    package func run(_ work: [@Sendable () -> Void]) {
        guard !work.isEmpty else { return }
        let needsThread = line.withLock { line in
            line.work += work
            defer { line.hasThread = true }
            return !line.hasThread
        }
        guard needsThread, !threads.start({ self.loop() }) else { return }
        repeat { runAll() } while !endsIfIdle()
    }

    /// Runs work on the thread only. If the thread cannot start, runs the work that others have begun in the meantime.
    /// - Returns: False if the system has no thread. The work is then discarded.
    package func begin(_ work: @escaping @Sendable () -> Void) -> Bool {
        let needsThread = line.withLock { line in
            line.work.append(work)
            defer { line.hasThread = true }
            return !line.hasThread
        }
        guard needsThread, !threads.start(attempts: 1, { self.loop() }) else { return true }
        line.withLock { _ = $0.work.removeFirst() }
        // Other callers were told in the meantime that the thread runs their work.
        repeat { runAll() } while !endsIfIdle()
        return false
    }

    private func loop() {
        while true {
            runAll()
            let hasWork = line.wait(atMost: .seconds(5)) { $0.work.isEmpty ? nil : true }
            if hasWork == nil, endsIfIdle() { return }
        }
    }

    private func endsIfIdle() -> Bool {
        line.withLock { line in
            if line.work.isEmpty { line.hasThread = false }
            return !line.hasThread
        }
    }

    private func runAll() {
        while true {
            let work = line.withLock { line in
                defer { line.work = [] }
                return line.work
            }
            if work.isEmpty { return }
            for item in work { item() }
        }
    }
}
