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

    @Test func workOfAnEarlierProcessIsWaitedForOnRequestOnly() async {
        let (work, clock) = (PendingWork(), ManualClock())
        let own = work.begin()
        let loading = work.begin(counts: false)
        let (all, ownOnly) = (work.watch(), work.watch(includesReplays: false))
        // Found while both are watched.
        let replay = work.begin(after: loading, isReplay: true)
        let later = work.watch(includesReplays: false)
        work.end(loading)
        work.end(own)
        #expect(await work.wait(for: ownOnly, atMost: .seconds(10), clock) == (1, 0))
        #expect(await work.wait(for: later, atMost: .seconds(10), clock) == (1, 0))
        work.end(replay)
        #expect(await work.wait(for: all, atMost: .seconds(10), clock) == (2, 0))
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
        #expect(await work.wait(for: work.watch(), atMost: .zero, clock).left == 1)
    }

    @Test func nothingIsNotWaitedFor() async {
        let work = PendingWork()
        #expect(await work.wait(for: work.watch(), atMost: .seconds(1_000), ManualClock()) == (0, 0))
    }

    @Test func whatRestsForLongerIsNotWaitedFor() async {
        let (work, clock) = (PendingWork(), ManualClock())
        let (first, second) = (work.begin(), work.begin())
        work.rest(first, until: .seconds(60))
        let watch = work.watch()
        let waiting = Task { await work.wait(for: watch, atMost: .seconds(10), clock) }
        work.rest(second, until: .seconds(5))
        work.rest(second, until: .seconds(11))
        #expect(await waiting.value == (0, 2))
        // What goes on again is waited for again.
        let next = work.watch()
        work.rest(first, until: nil)
        let longer = Task { await work.wait(for: next, atMost: .seconds(10), clock) }
        work.end(first)
        #expect(await longer.value == (1, 1))
        #expect(await work.wait(for: work.watch(), atMost: .seconds(10), clock) == (0, 1))
    }
}
