#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A second process in the process group, which detects signals that are sent to the whole group.
///
/// A started program shares the group and receives such signals itself. If the tool passed them on, they would arrive
/// twice. The system does not report whether a signal was sent to the group or to one process. A signal that the
/// witness has also received, from the same sender, was sent to the group. The witness blocks all signals, has only two
/// open pipes, and clears its name and arguments, so that `pkill` does not match it as the tool. It ends with the tool
/// in all cases.
///
/// Without a witness, signals of the kernel are assumed to be sent to the group.
enum GroupWitness {
    private struct State {
        var identifier: Int32 = 0
        var questions: Int32 = -1
        var answers: Int32 = -1
        /// The signals that the witness has reported and `hasSeen` has not consumed, with their senders.
        var seen: [Int32: Int32] = [:]
    }

    private static let state = Lock(State())
    /// The highest signal number.
    private static let lastSignal: Int32 = 64
    /// The wait for a signal to the group. `timeout` sends a signal to its child first, and then to the group.
    private static let patience = timespec(tv_sec: 0, tv_nsec: 50_000_000)

    /// Whether a received signal was sent to the whole group. Takes 50 ms, and consumes repetitions of the signal
    /// meanwhile.
    ///
    /// Must be called on the thread that takes signals.
    static func hasSeen(_ received: Signals.Received) -> Bool {
        pause(patience)
        var senders = [received.sender]
        while let again = Signals.takeWaiting(received.number) { senders.append(again.sender) }
        return state.withLock { state in
            guard state.answers >= 0, ask(&state) else { return received.isFromKernel }
            return state.seen.removeValue(forKey: received.number).map { senders.contains($0) } ?? false
        }
    }

    /// Discards the signals that the witness has received so far.
    static func forget() {
        state.withLock { state in
            if state.answers >= 0 { _ = ask(&state) }
            state.seen = [:]
        }
    }

    /// Sleeps. Cannot be interrupted, because signals are blocked on this thread.
    private static func pause(_ span: timespec) {
        var span = span
        nanosleep(&span, nil)
    }

    #if canImport(Darwin)
        /// Has no effect: there is no witness, because processes cannot be forked here.
        static func start() {}
        static func end() {}
        private static func ask(_ state: inout State) -> Bool { false }
    #else
        /// Starts the witness. Must be called while the process has one thread, with all taken signals blocked.
        static func start() {
            var (questions, answers) = ([Int32](repeating: -1, count: 2), [Int32](repeating: -1, count: 2))
            guard pipe(&questions) == 0 else { return }
            guard pipe(&answers) == 0 else {
                for descriptor in questions { close(descriptor) }
                return
            }
            let identifier = fork()
            if identifier == 0 { witness(questions[0], answers[1]) }
            close(questions[0])
            close(answers[1])
            guard identifier > 0 else {
                close(questions[1])
                close(answers[0])
                return
            }
            for descriptor in [questions[1], answers[0]] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            state.withLock {
                $0 = State(identifier: identifier, questions: questions[1], answers: answers[0])
            }
        }

        /// Ends the witness, and waits up to 100 ms for its end.
        static func end() {
            let identifier = state.withLock { state in
                if state.answers >= 0 {
                    close(state.questions)
                    close(state.answers)
                }
                defer { state = State() }
                return state.identifier
            }
            guard identifier > 0 else { return }
            for _ in 0..<100 {
                // A result other than zero means that the witness has been reaped, here or before.
                if waitpid(identifier, nil, WNOHANG) != 0 { return }
                pause(timespec(tv_sec: 0, tv_nsec: 1_000_000))
            }
        }

        /// Collects the signals that the witness has received since the last call. Returns false if the witness does
        /// not answer, because it has ended or was stopped.
        private static func ask(_ state: inout State) -> Bool {
            var report = [Int32](repeating: 0, count: Int(lastSignal) + 1)
            let size = report.count * MemoryLayout<Int32>.size
            var entry = pollfd(fd: state.answers, events: Int16(POLLIN), revents: 0)
            guard SystemCalls.writeAll(state.questions, [0]), poll(&entry, 1, 1_000) == 1,
                report.withUnsafeMutableBytes({ SystemCalls.read(state.answers, $0) }) == size
            else {
                close(state.questions)
                close(state.answers)
                (state.questions, state.answers) = (-1, -1)
                return false
            }
            for signal in 1...lastSignal where report[Int(signal)] >= 0 { state.seen[signal] = report[Int(signal)] }
            return true
        }

        // MARK: In the witness

        private static func witness(_ questions: Int32, _ answers: Int32) -> Never {
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_BLOCK, &all, nil)
            let mostFiles = Int32(min(sysconf(Int32(_SC_OPEN_MAX)), 65_536))
            for descriptor in 0..<max(mostFiles, 1_024) where descriptor != questions && descriptor != answers {
                close(descriptor)
            }
            becomeNameless()
            var question: [UInt8] = [0]
            while question.withUnsafeMutableBytes({ SystemCalls.read(questions, $0) }) == 1 {
                var report = [Int32](repeating: -1, count: Int(lastSignal) + 1)
                var (information, noTime) = (siginfo_t(), timespec())
                while case let signal = sigtimedwait(&all, &information, &noTime), signal > 0 {
                    if signal <= lastSignal { report[Int(signal)] = Signals.Received(signal, information).sender }
                }
                guard SystemCalls.writeAll(answers, report.withUnsafeBytes { Array($0) }) else { break }
            }
            _exit(0)
        }

        /// Clears the name, the arguments and the environment of the witness. The environment may contain a key.
        private static func becomeNameless() {
            let name = open("/proc/self/comm", O_WRONLY | O_CLOEXEC)
            if name >= 0 {
                SystemCalls.writeAll(name, Array("signal-witness".utf8))
                close(name)
            }
            guard let text = try? Files.read("/proc/self/stat", limit: 4_096),
                let end = text.lastIndex(of: UInt8(ascii: ")"))
            else { return }
            // Fields 48 to 51 are the bounds of the arguments and the environment; the name is field 2.
            let fields = text[(end + 1)...].split(separator: UInt8(ascii: " ")).dropFirst(45).prefix(4)
                .compactMap { UInt(String(decoding: $0, as: UTF8.self)) }
            guard fields.count == 4 else { return }
            for (start, end) in [(fields[0], fields[1]), (fields[2], fields[3])] where start < end {
                if let bytes = UnsafeMutableRawPointer(bitPattern: start) { memset(bytes, 0, Int(end - start)) }
            }
        }
    #endif
}
