import Dispatch

/// Writes lines to standard output on a thread of its own, so that no task waits for a client that does not read.
final class MessageWriter: Sendable {
    private struct State {
        var lines: [[UInt8]] = []
        var bytes = 0
        var isWriting = false
        var isFailed = false
        var isReaderWaiting = false
    }

    /// The number of unwritten bytes above which no further message is read.
    private static let limit = 4 * 1_024 * 1_024

    private let state = Lock(State())
    private let arrivals = DispatchSemaphore(value: 0)
    private let room = DispatchSemaphore(value: 0)
    private let write: @Sendable ([UInt8]) -> Bool

    /// - Parameter write: Writes bytes whole. Returns false on failure; nothing is written afterwards.
    init(write: @escaping @Sendable ([UInt8]) -> Bool) { self.write = write }

    /// Starts the thread. Returns false if the system is out of threads.
    /// - Parameter failed: Called if a write failed.
    func start(failed: @escaping @Sendable () -> Void) -> Bool {
        Threads.start { [self] in
            while run() { arrivals.wait() }
            failed()
        }
    }

    func enqueue(_ line: [UInt8]) {
        state.withLock { state in
            state.lines.append(line)
            state.bytes += line.count
        }
        arrivals.signal()
    }

    /// Blocks the thread that reads while too much is unwritten.
    func waitForRoom() {
        let isFull = state.withLock { state in
            state.isReaderWaiting = !state.isFailed && state.bytes > MessageWriter.limit
            return state.isReaderWaiting
        }
        if isFull { room.wait() }
    }

    /// Whether everything is written, or a write has failed.
    var isIdle: Bool { state.withLock { $0.isFailed || $0.lines.isEmpty && !$0.isWriting } }

    /// Writes the present lines. Returns false if a write failed.
    private func run() -> Bool {
        let lines = state.withLock { state in
            defer { (state.lines, state.isWriting) = ([], true) }
            return state.lines
        }
        var isFailed = false
        for line in lines {
            isFailed = isFailed || !write(line)
            let wakesReader = state.withLock { state in
                state.bytes -= line.count
                guard state.isReaderWaiting, isFailed || state.bytes <= MessageWriter.limit else { return false }
                state.isReaderWaiting = false
                return true
            }
            if wakesReader { room.signal() }
        }
        state.withLock { ($0.isWriting, $0.isFailed) = (false, isFailed) }
        return !isFailed
    }
}
