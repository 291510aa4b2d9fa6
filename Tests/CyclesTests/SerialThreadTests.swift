import Testing

@testable import Cycles

@Suite struct SerialThreadTests {
    /// A source that has no thread, and runs an action while it is asked for one.
    private final class Shortage: Sendable {
        private let action = Lock<(@Sendable () -> Void)?>(nil)

        func whenAsked(_ action: @escaping @Sendable () -> Void) { self.action.withLock { $0 = action } }

        var threads: ThreadSource {
            ThreadSource { [self] _, _ in
                let action = action.withLock { action in
                    defer { action = nil }
                    return action
                }
                action?()
                return nil
            }
        }
    }

    @Test func workThatCannotBeginIsNotRun() {
        let thread = SerialThread(.none)
        let runs = WaitableLock(0)
        #expect(!thread.begin { runs.withLock { $0 += 1 } })
        #expect(runs.withLock { $0 } == 0)
    }

    @Test func workThatWasAcceptedWhileAThreadFailedToStartIsRun() {
        let shortage = Shortage()
        let thread = SerialThread(shortage.threads)
        let runs = WaitableLock([String]())
        let isAccepted = WaitableLock(false)
        shortage.whenAsked {
            let accepts = thread.begin { runs.withLock { $0.append("second") } }
            isAccepted.withLock { $0 = accepts }
        }
        #expect(!thread.begin { runs.withLock { $0.append("first") } })
        #expect(isAccepted.withLock { $0 })
        #expect(runs.withLock { $0 } == ["second"])
    }
}
