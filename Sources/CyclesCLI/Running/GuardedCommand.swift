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
        /// The command has got it, or will, or there is none that it could mean anything to.
        case passedOn
        /// The command is not to be started any more.
        case callOff
        /// It is said that there is something to wait for.
        case askForPatience
        /// Whoever asks twice does not want to wait, and need not.
        case leave
        /// The same, once what was spent is safe: ``GuardedCommand/recorded()`` says so.
        case leaveLater
    }

    private enum Phase {
        case preparing
        /// It is being started: whatever comes now is for it.
        case starting
        case running(ChildProcess)
        /// What it spent is still to be read, and is nowhere else.
        case settling
        /// What it spent is where it is to be kept.
        case recorded
    }

    private struct State {
        var phase = Phase.preparing
        /// The last signal while no command ran, that asked to end.
        var signal: Int32?
        /// Whether somebody does not want to wait for the ledger.
        var isLeaving = false
        /// What came while it was being started.
        var early: [Int32] = []
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
            case .starting:
                if !isFromTerminal { state.early.append(signal) }
                return .passedOn
            case .preparing, .settling, .recorded:
                guard Signals.asksToEnd(signal) else { return .passedOn }
                let isSecond = state.signal != nil
                state.signal = signal
                switch state.phase {
                case .settling where isSecond:
                    state.isLeaving = true
                    return .leaveLater
                case .settling, .recorded: return isSecond ? .leave : .askForPatience
                default: return isSecond ? .leave : .callOff
                }
            }
        }
    }

    /// Starts the command unless a signal came before; nil if one did.
    func start(_ start: () throws(SystemFailure) -> ChildProcess) throws(SystemFailure) -> ChildProcess? {
        let isCalledOff = state.withLock { state in
            guard state.signal == nil else { return true }
            state.phase = .starting
            return false
        }
        if isCalledOff { return nil }
        let child: ChildProcess
        do throws(SystemFailure) {
            child = try start()
        } catch {
            ended()
            throw error
        }
        state.withLock { state in
            state.phase = .running(child)
            for signal in state.early { child.send(signal) }
            state.early = []
        }
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

    /// What was spent is safe now. The signal of whoever does not want to wait any longer; nil if nobody minds.
    func recorded() -> Int32? {
        state.withLock { state in
            state.phase = .recorded
            return state.isLeaving ? state.signal : nil
        }
    }
}
