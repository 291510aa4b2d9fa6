#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The command under `run` from before its start until its spend is safe, and the meaning of signals meanwhile.
final class GuardedCommand: Sendable {
    enum Step: Equatable {
        /// The command has got the signal, or will, or there is no command that it could mean anything to.
        case passedOn
        /// The command is not to be started any more.
        case callOff
        /// The user is told what the tool waits for.
        case askForPatience
        /// The user has asked twice and need not wait.
        case leave
        /// The same, once the spend is safe: ``GuardedCommand/recorded()`` says so.
        case leaveLater
    }

    private enum Phase {
        case preparing
        /// The command is being started: signals that come now are for it.
        case starting
        case running(ChildProcess)
        /// The spend is still to be read, and is nowhere else.
        case settling
        /// The spend is where it is to be kept.
        case recorded
        /// There is no command, and will be none: nothing has to be settled.
        case failed
    }

    private struct State {
        var phase = Phase.preparing
        /// The last signal that asked to end while no command ran.
        var signal: Int32?
        /// Whether that signal came before the command was started.
        var isCalledOff = false
        /// Whether somebody does not want to wait for the ledger.
        var isLeaving = false
        /// Signals that came while the command was being started, and whether it was in the group that got them.
        var early: [(signal: Int32, reachedGroup: Bool)] = []
        var ending: ChildProcess.Ending?
        var waiter: CheckedContinuation<ChildProcess.Ending, Never>?
    }

    private let state = Lock(State())

    /// The signal that came while no command ran; nil if none did.
    var interruption: Int32? { state.withLock { $0.signal } }

    /// Whether that signal came before the command was started.
    var isCalledOff: Bool { state.withLock { $0.isCalledOff } }

    /// Passes a signal on, unless the command has got it already, or says what else is to be done about it.
    /// - Parameter reachedGroup: Whether the signal went to the whole group; takes its time.
    func take(_ signal: Int32, reachedGroup: () -> Bool) -> Step {
        let child = state.withLock { state in
            if case .running(let child) = state.phase { return Optional(child) }
            return nil
        }
        // In any case: the same signal, if it comes again within a moment, is no second wish.
        let reachedGroup = reachedGroup()
        if let child {
            // The command is reaped on the thread that calls this: its number means it until then.
            let hasIt = reachedGroup && child.isInThisGroup
            if !hasIt, signal != Signals.stop || !Signals.continues { child.send(signal) }
            return .passedOn
        }
        return state.withLock { state in
            switch state.phase {
            case .running(let child):
                // It came before the start, or during it.
                if !reachedGroup || !child.isInThisGroup { child.send(signal) }
                return .passedOn
            case .starting:
                state.early.append((signal, reachedGroup))
                return .passedOn
            case .failed: return Signals.asksToEnd(signal) ? .leave : .passedOn
            case .preparing, .settling, .recorded:
                guard Signals.asksToEnd(signal) else { return .passedOn }
                let isSecond = state.signal != nil
                state.signal = signal
                switch state.phase {
                case .settling where isSecond:
                    state.isLeaving = true
                    return .leaveLater
                case .settling, .recorded: return isSecond ? .leave : .askForPatience
                default:
                    state.isCalledOff = true
                    return isSecond ? .leave : .callOff
                }
            }
        }
    }

    /// Starts the command unless a signal came before; nil if one did.
    /// - Parameter start: Starts the command, and calls its parameter right before.
    func start(
        _ start: (_ isAboutToStart: () -> Void) throws(SystemFailure) -> ChildProcess
    ) throws(SystemFailure) -> ChildProcess? {
        let isCalledOff = state.withLock { state in
            guard state.signal == nil else { return true }
            state.phase = .starting
            return false
        }
        if isCalledOff { return nil }
        let child: ChildProcess
        do throws(SystemFailure) {
            child = try start {
                // The command is not in the group yet that these went to.
                GroupWitness.forget()
                state.withLock { state in
                    for index in state.early.indices { state.early[index].reachedGroup = false }
                }
            }
        } catch {
            ended()
            throw error
        }
        state.withLock { state in
            state.phase = .running(child)
            for (signal, reachedGroup) in state.early where !reachedGroup || !child.isInThisGroup { child.send(signal) }
            state.early = []
        }
        // It may have ended before anybody knew its number.
        kill(getpid(), Signals.childEnded)
        return child
    }

    /// Waits for the end of the command and returns it.
    func ending() async -> ChildProcess.Ending {
        await withCheckedContinuation { waiter in
            let ending = state.withLock { state in
                if state.ending == nil { state.waiter = waiter }
                return state.ending
            }
            if let ending { waiter.resume(returning: ending) }
        }
    }

    /// Takes note of children that have ended: of the command, and of the orphans that the first process of a container
    /// inherits. For the thread that takes signals.
    func reap() {
        while let ended = ChildProcess.nextEnded {
            let isCommand = state.withLock { state -> Bool? in
                if case .starting = state.phase { return nil }
                guard case .running(let child) = state.phase, child.identifier == ended else { return false }
                // Nothing is sent to its number any more.
                state.phase = .settling
                return true
            }
            // Not known yet: this is called again once it is.
            guard let isCommand else { return }
            let ending = ChildProcess.reap(ended)
            guard isCommand else { continue }
            let waiter = state.withLock { state in
                state.ending = ending
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: ending)
        }
    }

    /// Asks the command to end, if it runs.
    func terminate() {
        state.withLock { state in
            // Under the lock, so that the number means the command and nothing else.
            if case .running(let child) = state.phase { child.send(SIGTERM) }
        }
    }

    func ended() { state.withLock { $0.phase = .settling } }

    /// Notes that no command is started, if none was.
    func failed() {
        state.withLock { state in
            if case .preparing = state.phase { state.phase = .failed }
        }
    }

    /// Notes that the spend is safe. Returns the signal of the user who does not want to wait any longer; nil if the user
    /// waits.
    func recorded() -> Int32? {
        state.withLock { state in
            if case .failed = state.phase { return nil }
            state.phase = .recorded
            return state.isLeaving ? state.signal : nil
        }
    }
}
