/// An object that can wait in at most one ``DeadlineHeap``.
protocol DeadlineHeapElement: AnyObject {
    /// The object's index in the heap; nil outside. Only the heap sets it.
    var heapPosition: Int? { get set }
}

/// Objects with deadlines, the earliest first. The heap's owner ensures that one thread at a time accesses the heap and
/// its elements.
struct DeadlineHeap<Element: DeadlineHeapElement> {
    private struct Entry {
        var deadline: Duration
        var element: Element
    }

    private var entries: [Entry] = []

    var count: Int { entries.count }

    /// The earliest deadline.
    var nextDeadline: Duration? { entries.first?.deadline }

    var all: [Element] { entries.map(\.element) }

    /// Returns the deadline of an element; nil if the element is not in the heap.
    func deadline(of element: Element) -> Duration? { element.heapPosition.map { entries[$0].deadline } }

    /// Inserts an element, which must not be in the heap.
    mutating func insert(_ element: Element, until deadline: Duration) {
        precondition(element.heapPosition == nil, "an element waits once")
        let entry = Entry(deadline: deadline, element: element)
        entries.append(entry)
        siftUp(entry, from: entries.count - 1)
    }

    /// Removes and returns the earliest element if it is due.
    mutating func popFirst(dueAt now: Duration) -> Element? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        remove(first.element)
        return first.element
    }

    /// Removes an element if it is in the heap.
    mutating func remove(_ element: Element) {
        guard let position = element.heapPosition else { return }
        element.heapPosition = nil
        let last = entries.removeLast()
        if position < entries.count { siftUp(last, from: siftDown(last, from: position)) }
    }

    /// Places an entry at a free position or nearer to the root. Moves entries that are due later down.
    private mutating func siftUp(_ entry: Entry, from start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard entry.deadline < entries[parent].deadline else { break }
            place(entries[parent], at: position)
            position = parent
        }
        place(entry, at: position)
    }

    /// Moves entries that are due before `entry` up, and returns the position that becomes free.
    private mutating func siftDown(_ entry: Entry, from start: Int) -> Int {
        var position = start
        while true {
            var child = 2 * position + 1
            guard child < entries.count else { return position }
            if child + 1 < entries.count, entries[child + 1].deadline < entries[child].deadline { child += 1 }
            guard entries[child].deadline < entry.deadline else { return position }
            place(entries[child], at: position)
            position = child
        }
    }

    private mutating func place(_ entry: Entry, at position: Int) {
        entries[position] = entry
        entry.element.heapPosition = position
    }
}
