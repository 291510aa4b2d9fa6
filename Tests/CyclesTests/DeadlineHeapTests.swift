import CyclesTesting
import Testing

@testable import Cycles

@Suite struct DeadlineHeapTests {
    private final class Item: DeadlineHeapElement {
        let deadline: Duration
        var heapPosition: Int?

        init(_ seconds: Int) { deadline = .seconds(seconds) }
    }

    @Test func elementsComeOutInTheOrderOfTheirDeadlines() {
        var heap = DeadlineHeap<Item>()
        for seconds in [5, 3, 9, 1, 7, 3] { heap.insert(Item(seconds), until: .seconds(seconds)) }
        var deadlines: [Duration] = []
        while let item = heap.popFirst(dueAt: .seconds(10)) { deadlines.append(item.deadline) }
        #expect(deadlines == [1, 3, 3, 5, 7, 9].map { .seconds($0) })
    }

    @Test func nothingComesOutBeforeItIsDue() {
        var heap = DeadlineHeap<Item>()
        heap.insert(Item(5), until: .seconds(5))
        #expect(heap.popFirst(dueAt: .seconds(4)) == nil)
        #expect(heap.popFirst(dueAt: .seconds(5)) != nil)
        #expect(heap.nextDeadline == nil)
    }

    @Test func anElementThatWasTakenOutCanBePutBack() {
        var heap = DeadlineHeap<Item>()
        let item = Item(2)
        heap.insert(item, until: item.deadline)
        heap.insert(Item(1), until: .seconds(1))
        heap.remove(item)
        heap.remove(item)
        #expect(heap.count == 1 && item.heapPosition == nil)
        heap.insert(item, until: item.deadline)
        #expect(heap.count == 2)
    }

    @Test func theOrderSurvivesElementsThatAreTakenOut() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            var heap = DeadlineHeap<Item>()
            var items = (0..<40).map { _ in Item(.random(in: 0..<30, using: &generator)) }
            for item in items { heap.insert(item, until: item.deadline) }
            items.shuffle(using: &generator)
            for _ in 0..<20 { heap.remove(items.removeLast()) }
            var deadlines: [Duration] = []
            while let item = heap.popFirst(dueAt: .seconds(30)) { deadlines.append(item.deadline) }
            #expect(deadlines == items.map(\.deadline).sorted())
        }
    }
}
