import Cycles
import CyclesTesting
import Synchronization
import Testing

@Suite struct PendingWorkTests {
    @Test func whatFollowsIsWaitedForToo() async {
        let (work, clock) = (PendingWork(), ManualClock())
        let cause = work.begin(counts: false)
        let watch = work.watch()
        let unrelated = work.begin()
        let consequence = work.begin(after: cause)
        let last = work.begin(after: consequence)
        work.end(cause)
        let waiting = Task { await work.wait(for: watch, atMost: .seconds(10), clock) }
        work.end(consequence)
        work.end(last)
        let result = await waiting.value
        // The cause is nothing that anybody asked for.
        #expect(result.ended == 2 && result.left == 0)
        work.end(unrelated)
    }

    @Test func patienceIsLimited() async {
        let (work, clock) = (PendingWork(), ManualClock())
        let cause = work.begin(counts: false)
        let watch = work.watch()
        _ = work.begin(after: cause)
        work.end(cause)
        let waiting = Task { await work.wait(for: watch, atMost: .seconds(10), clock) }
        let isOver = Mutex(false)
        let watcher = Task {
            _ = await waiting.value
            isOver.withLock { $0 = true }
        }
        await until {
            clock.advance(by: .seconds(10))
            return isOver.withLock { $0 }
        }
        await watcher.value
        let result = await waiting.value
        #expect(result.ended == 0 && result.left == 1)
        #expect(work.wait(for: work.watch(), atMost: .zero).left == 1)
    }

    @Test func nothingIsNotWaitedFor() async {
        let work = PendingWork()
        #expect(await work.wait(for: work.watch(), atMost: .seconds(1_000), ManualClock()) == (0, 0))
        #expect(work.wait(for: work.watch(), atMost: .seconds(1_000)) == (0, 0))
    }
}
