import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a command under `run` stands, and what a signal means there.
final class GuardedCommand: Sendable {
    enum Step: Equatable {
        /// The command has got it.
        case passedOn
        /// The command is not to be started any more.
        case callOff
        /// It is said that there is something to wait for.
        case askForPatience
        /// Whoever asks twice does not want to wait.
        case leave
    }

    private enum Phase {
        case preparing
        case running(ChildProcess)
        case settling
    }

    private struct State {
        var phase = Phase.preparing
        /// The last signal while no command ran.
        var signal: Int32?
    }

    private let state = Mutex(State())

    /// The signal that came while no command ran, if one did.
    var interruption: Int32? { state.withLock { $0.signal } }

    /// Passes a signal on, or says what else is to be done about it.
    func take(_ signal: Int32, isFromTerminal: Bool) -> Step {
        state.withLock { state in
            switch state.phase {
            case .running(let child):
                // What a terminal sends, the command gets by itself.
                if !isFromTerminal { child.send(signal) }
                return .passedOn
            case .preparing, .settling:
                defer { state.signal = signal }
                if state.signal != nil { return .leave }
                if case .settling = state.phase { return .askForPatience }
                return .callOff
            }
        }
    }

    /// Starts the command unless a signal came before; nil if one did.
    func start(_ start: () throws(SystemFailure) -> ChildProcess) throws(SystemFailure) -> ChildProcess? {
        // Not under the lock: a signal that comes in between is passed on just after.
        guard interruption == nil else { return nil }
        let child = try start()
        let late = state.withLock { state in
            state.phase = .running(child)
            defer { state.signal = nil }
            return state.signal
        }
        if let late { child.send(late) }
        return child
    }

    /// Asks the command to end, if it runs.
    func terminate() {
        state.withLock { state in
            // Under the lock, so that the number means the command and nothing else.
            if case .running(let child) = state.phase { child.send(SIGTERM) }
        }
    }

    func ended() { state.withLock { $0.phase = .settling } }
}
