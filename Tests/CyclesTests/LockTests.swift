import Testing

@testable import Cycles

@Suite struct LockTests {
    private final class Counter: Sendable {
        let value = Lock(0)
    }

    @Test func aLockIsForOneThreadAtATime() async {
        let count = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<1_000 { count.value.withLock { $0 += 1 } } } }
        }
        #expect(count.value.withLock { $0 } == 8_000)
    }

    @Test func aChangeWakesTheThreadThatWaitsForIt() async {
        let state = WaitableLock((isWaiting: false, isOpen: false))
        let hasSeen = await withUnsafeContinuation { continuation in
            let thread = SystemThread.start {
                continuation.resume(
                    returning: state.wait(atMost: .seconds(60)) { state in
                        state.isWaiting = true
                        return state.isOpen ? true : nil
                    }
                )
            }
            thread?.detach()
            while !state.withLock({ $0.isWaiting }) { SystemThread.yield() }
            state.withLock { $0.isOpen = true }
        }
        #expect(hasSeen == true)
    }

    @Test func aChangeThatWakesNobodyLetsTheThreadSleep() {
        let state = WaitableLock((looks: 0, isOpen: false))
        let thread = SystemThread.start {
            state.wait { state in
                state.looks += 1
                return state.isOpen ? () : nil
            }
            state.withLock { $0.looks = -1 }
        }
        while state.withLock({ state, _ in state.looks == 0 }) { SystemThread.yield() }
        for _ in 0..<100 { state.withLock { state, _ in state.isOpen = false } }
        #expect(state.withLock { state, _ in state.looks } == 1)
        state.withLock { state, wakes in
            state.isOpen = true
            wakes = true
        }
        thread?.join()
        #expect(state.withLock { $0.looks } == -1)
    }

    @Test func aLimitedWaitEnds() {
        let state = WaitableLock(false)
        #expect(state.wait(atMost: .milliseconds(1)) { $0 ? true : nil } == nil)
    }
}

@Suite struct SystemTimeSourceTests {
    /// The times at which alarms went off, by their names.
    private final class Bell: Sendable {
        private let rung = WaitableLock([String]())

        func ring(_ name: String) { rung.withLock { $0.append(name) } }

        func names(atLeast count: Int) -> [String] {
            rung.wait(atMost: .seconds(60)) { $0.count >= count ? $0 : nil } ?? []
        }
    }

    @Test func anAlarmForAnEarlierTimeWakesTheThreadThatSleepsForALaterOne() {
        let time = SystemTimeSource()
        let bell = Bell()
        let late = time.makeAlarm { bell.ring("late") }
        let early = time.makeAlarm { bell.ring("early") }
        late.set(to: time.monotonic + .seconds(600))
        // The thread sleeps for the first alarm by now, or is about to.
        time.block(for: .milliseconds(20))
        early.set(to: time.monotonic + .milliseconds(5))
        #expect(bell.names(atLeast: 1) == ["early"])
        late.set(to: nil)
    }

    @Test func anAlarmThatIsSetToALaterTimeGoesOffOnceAtThatTime() {
        let time = SystemTimeSource()
        let bell = Bell()
        let alarm = time.makeAlarm { bell.ring("alarm") }
        alarm.set(to: time.monotonic + .milliseconds(20))
        let later = time.monotonic + .milliseconds(60)
        alarm.set(to: later)
        #expect(bell.names(atLeast: 1) == ["alarm"])
        #expect(time.monotonic >= later)
    }

    @Test func anAlarmThatIsTurnedOffDoesNotGoOff() {
        let time = SystemTimeSource()
        let bell = Bell()
        let off = time.makeAlarm { bell.ring("off") }
        let on = time.makeAlarm { bell.ring("on") }
        off.set(to: time.monotonic + .milliseconds(500))
        off.set(to: nil)
        on.set(to: time.monotonic + .milliseconds(600))
        #expect(bell.names(atLeast: 1) == ["on"])
    }

    @Test func theThreadEndsSoonAfterTheLastAlarmIsGone() {
        let bell = Bell()
        let threads = ThreadSource { attempts, body in
            SystemThread.start(attempts: attempts) {
                body()
                bell.ring("ended")
            }
        }
        let time = SystemTimeSource(threads: threads, patience: .milliseconds(10))
        var alarm: (any Alarm)? = time.makeAlarm {}
        alarm?.set(to: time.monotonic + .seconds(86_400))
        // The thread sleeps for the alarm by now, or is about to.
        time.block(for: .milliseconds(20))
        alarm = nil
        #expect(bell.names(atLeast: 1) == ["ended"])
    }
}

@Suite struct ForkGateTests {
    /// An object whose release takes some time.
    private final class Slow: Sendable {
        let steps: @Sendable (String) -> Void
        init(_ steps: @escaping @Sendable (String) -> Void) { self.steps = steps }

        deinit {
            ForkGateTests.work()
            steps("released")
        }
    }

    private static func work() {
        let end = ContinuousClock.now + .milliseconds(50)
        while ContinuousClock.now < end { SystemThread.yield() }
    }

    private static func start(_ slow: consuming Slow, _ steps: @escaping @Sendable (String) -> Void) -> Bool {
        ThreadSource.system.start { [slow] in
            steps("begun")
            withExtendedLifetime(slow) { ForkGateTests.work() }
            steps("done")
        }
    }

    @Test func aForkWaitsForAThreadAtWorkAndForTheReleaseOfItsObjects() {
        final class Steps: Sendable { let names = WaitableLock([String]()) }
        let steps = Steps()
        let add: @Sendable (String) -> Void = { name in steps.names.withLock { $0.append(name) } }
        #expect(ForkGateTests.start(Slow(add), add))
        _ = steps.names.wait { $0.isEmpty ? nil : true }
        ForkGate.beforeFork()
        let seen = steps.names.withLock { $0 }
        ForkGate.afterFork()
        #expect(seen == ["begun", "done", "released"])
    }

    @Test func aForkThatWaitsStopsNoThread() {
        final class Steps: Sendable { let names = WaitableLock([String]()) }
        let steps = Steps()
        let add: @Sendable (String) -> Void = { name in steps.names.withLock { $0.append(name) } }
        let isStarted = ThreadSource.system.start {
            add("begun")
            // Work that needs the other thread.
            while !steps.names.withLock({ names, _ in names.contains("woken") }) { SystemThread.yield() }
            add("done")
        }
        let isOtherStarted = ThreadSource.system.start {
            _ = WaitableLock(()).wait(atMost: .milliseconds(50)) { _ in Bool?.none }
            add("woken")
        }
        #expect(isStarted && isOtherStarted)
        _ = steps.names.wait { $0.contains("begun") ? true : nil }
        ForkGate.beforeFork()
        let seen = steps.names.withLock { $0 }
        ForkGate.afterFork()
        #expect(seen == ["begun", "woken", "done"])
    }
}
