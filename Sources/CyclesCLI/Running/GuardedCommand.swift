#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The state of the command under `run`, from before its start until its spend is recorded. Determines the meaning of
/// signals.
final class GuardedCommand: Sendable {
    enum Step: Equatable {
        /// Do nothing: the command gets the signal, or the signal has no meaning now.
        case passedOn
        /// Do not start the command.
        case callOff
        /// Tell the user to wait for the settlement.
        case askForPatience
        /// End the tool now: the user has asked twice, or nothing has to be settled.
        case leave
        /// End the tool once ``GuardedCommand/recorded()`` is called.
        case leaveLater
    }

    private enum Phase {
        case preparing
        /// The command is being started. Signals are intended for it.
        case starting
        case running(ChildProcess)
        /// The command has ended. Its spend is not recorded yet.
        case settling
        /// The spend is recorded.
        case recorded
        /// The command does not start, and nothing has to be settled.
        case failed
    }

    private struct State {
        var phase = Phase.preparing
        /// The last signal that asked the tool to end while no command ran.
        var signal: Int32?
        /// Whether a signal arrived before the start of the command.
        var isCalledOff = false
        /// Whether the user has chosen not to wait for the settlement.
        var isLeaving = false
        /// The signals that arrived during the start of the command, and whether its group got them.
        var early: [(signal: Int32, reachedGroup: Bool)] = []
        var ending: ChildProcess.Ending?
        var waiter: CheckedContinuation<ChildProcess.Ending, Never>?
    }

    private let state = Lock(State())

    /// The last signal that asked the tool to end while no command ran.
    var interruption: Int32? { state.withLock { $0.signal } }

    /// Whether a signal arrived before the start of the command.
    var isCalledOff: Bool { state.withLock { $0.isCalledOff } }

    /// Passes a signal to the command unless the command has received it already. Returns the next step.
    /// - Parameter reachedGroup: Returns whether the whole group received the signal. May take 50 ms.
    func take(_ signal: Int32, reachedGroup: () -> Bool) -> Step {
        let child = state.withLock { state in
            if case .running(let child) = state.phase { return Optional(child) }
            return nil
        }
        // The call is unconditional, because it merges a repetition of the signal within 50 ms.
        let reachedGroup = reachedGroup()
        if let child {
            // This thread reaps the command, so that the process id is valid here.
            let hasIt = reachedGroup && child.isInThisGroup
            if !hasIt, signal != Signals.stop || !Signals.continues { child.send(signal) }
            return .passedOn
        }
        return state.withLock { state in
            switch state.phase {
            case .running(let child):
                // The signal arrived before or during the start.
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

    /// Starts the command. Returns nil, without a start, if a signal has asked the tool to end.
    /// - Parameter start: Starts the command. Calls its parameter immediately before.
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
                // Earlier signals did not reach the command, which is not in the group yet.
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
        // The signal is repeated, because the command may have ended before its process id was known.
        kill(getpid(), Signals.childEnded)
        return child
    }

    /// Waits for the end of the command.
    func ending() async -> ChildProcess.Ending {
        await withCheckedContinuation { waiter in
            let ending = state.withLock { state in
                if state.ending == nil { state.waiter = waiter }
                return state.ending
            }
            if let ending { waiter.resume(returning: ending) }
        }
    }

    /// Reaps ended children: the command, and orphans that the first process of a container inherits. Called on the
    /// thread that takes signals.
    func reap() {
        while let ended = ChildProcess.nextEnded {
            let isCommand = state.withLock { state -> Bool? in
                if case .starting = state.phase { return nil }
                guard case .running(let child) = state.phase, child.identifier == ended else { return false }
                // From here on, no signal is sent to the process id.
                state.phase = .settling
                return true
            }
            // The process id of the command is not known yet. `start` triggers another call.
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

    /// Sends SIGTERM to the command if it runs.
    func terminate() {
        state.withLock { state in
            // The lock keeps the process id valid.
            if case .running(let child) = state.phase { child.send(SIGTERM) }
        }
    }

    func ended() { state.withLock { $0.phase = .settling } }

    /// Records that the command will not start, unless it has started.
    func failed() {
        state.withLock { state in
            if case .preparing = state.phase { state.phase = .failed }
        }
    }

    /// Records that the spend is recorded. Returns the signal that ends the tool; nil if the user waits.
    func recorded() -> Int32? {
        state.withLock { state in
            if case .failed = state.phase { return nil }
            state.phase = .recorded
            return state.isLeaving ? state.signal : nil
        }
    }
}
