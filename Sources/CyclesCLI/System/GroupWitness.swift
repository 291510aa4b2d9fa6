#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A second process of this one's group, which sees the signals that go to the group.
///
/// A program that is started shares the group, and gets those signals itself: passed on, they would arrive twice. The
/// system does not say whether a signal was sent to the group or to one process, so the witness is asked: a signal that
/// it has got as well, from the same sender, went to the group. The witness keeps all signals blocked, has no open files
/// but two pipes, no name and no words that `pkill` could take for the tool's, and ends with the tool, however that ends.
///
/// Where there is no witness, signals of the kernel are taken to be the group's.
enum GroupWitness {
    private struct State {
        var identifier: Int32 = 0
        var questions: Int32 = -1
        var answers: Int32 = -1
        /// Signals that the witness has reported, with their senders, and that nobody has asked for yet.
        var seen: [Int32: Int32] = [:]
    }

    private static let state = Lock(State())
    /// Signals have numbers up to this one.
    private static let lastSignal: Int32 = 64
    /// `timeout` sends to its child and then to the group: the second follows within this time.
    private static let patience = timespec(tv_sec: 0, tv_nsec: 50_000_000)

    /// Whether a signal that this process has got went to its whole group. Takes 50 ms.
    ///
    /// For the thread that takes signals: the same signal, if it comes again meanwhile, belongs to this one.
    static func hasSeen(_ received: Signals.Received) -> Bool {
        pause(patience)
        var senders = [received.sender]
        while let again = Signals.takeWaiting(received.number) { senders.append(again.sender) }
        return state.withLock { state in
            guard state.answers >= 0, ask(&state) else { return received.isFromKernel }
            return state.seen.removeValue(forKey: received.number).map { senders.contains($0) } ?? false
        }
    }

    /// Forgets the signals so far.
    static func forget() {
        state.withLock { state in
            if state.answers >= 0 { _ = ask(&state) }
            state.seen = [:]
        }
    }

    /// Nothing interrupts this: signals are blocked here.
    private static func pause(_ span: timespec) {
        var span = span
        nanosleep(&span, nil)
    }

    #if canImport(Darwin)
        /// There is none: a process cannot be copied here.
        static func start() {}
        static func end() {}
        private static func ask(_ state: inout State) -> Bool { false }
    #else
        /// Starts the witness. To be called while this process has one thread, with the signals blocked that are taken.
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

        /// Ends the witness, and waits a moment until it is gone.
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
                // Anything but zero: it is reaped, here or before.
                if waitpid(identifier, nil, WNOHANG) != 0 { return }
                pause(timespec(tv_sec: 0, tv_nsec: 1_000_000))
            }
        }

        /// Asks which signals the witness has got since it was asked last. False if it does not answer: it is gone, or
        /// somebody has stopped it.
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

        /// Takes the tool's name and words off this copy, and the environment, in which there may be a key.
        private static func becomeNameless() {
            let name = open("/proc/self/comm", O_WRONLY | O_CLOEXEC)
            if name >= 0 {
                SystemCalls.writeAll(name, Array("signal-witness".utf8))
                close(name)
            }
            guard let text = try? Files.read("/proc/self/stat", limit: 4_096),
                let end = text.lastIndex(of: UInt8(ascii: ")"))
            else { return }
            // The fields after the name, which is the second: where arguments and environment begin and end.
            let fields = text[(end + 1)...].split(separator: UInt8(ascii: " ")).dropFirst(45).prefix(4)
                .compactMap { UInt(String(decoding: $0, as: UTF8.self)) }
            guard fields.count == 4 else { return }
            for (start, end) in [(fields[0], fields[1]), (fields[2], fields[3])] where start < end {
                if let bytes = UnsafeMutableRawPointer(bitPattern: start) { memset(bytes, 0, Int(end - start)) }
            }
        }
    #endif
}
