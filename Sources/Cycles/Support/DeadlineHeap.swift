/// What can wait in a ``DeadlineHeap``, and in no more than one.
package protocol DeadlineHeapElement: AnyObject {
    /// When it is due. Not to be changed while it waits.
    var deadline: Duration { get }
    /// Where it stands in the heap; nil while it is in none. Belongs to the heap.
    var heapPosition: Int? { get set }
}

/// Things with deadlines, the earliest first. Whoever owns the heap sees to it that one thread at a time touches it and
/// its elements.
package struct DeadlineHeap<Element: DeadlineHeapElement> {
    private var elements: [Element] = []

    package init() {}

    package var count: Int { elements.count }

    /// The earliest deadline.
    package var nextDeadline: Duration? { elements.first?.deadline }

    package var all: [Element] { elements }

    /// Takes an element in, which must not be in already.
    package mutating func insert(_ element: Element) {
        precondition(element.heapPosition == nil, "an element waits once")
        elements.append(element)
        siftUp(elements.count - 1)
    }

    /// Takes the earliest out if it is due.
    package mutating func popFirst(dueAt now: Duration) -> Element? {
        guard let first = elements.first, first.deadline <= now else { return nil }
        remove(first)
        return first
    }

    /// Takes an element out, if it is in.
    package mutating func remove(_ element: Element) {
        guard let position = element.heapPosition else { return }
        element.heapPosition = nil
        let last = elements.removeLast()
        guard position < elements.count else { return }
        elements[position] = last
        last.heapPosition = position
        siftDown(position)
        siftUp(position)
    }

    private mutating func siftUp(_ start: Int) {
        let element = elements[start]
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard element.deadline < elements[parent].deadline else { break }
            place(elements[parent], at: position)
            position = parent
        }
        place(element, at: position)
    }

    private mutating func siftDown(_ start: Int) {
        let element = elements[start]
        var position = start
        while true {
            var child = 2 * position + 1
            guard child < elements.count else { break }
            if child + 1 < elements.count, elements[child + 1].deadline < elements[child].deadline { child += 1 }
            guard elements[child].deadline < element.deadline else { break }
            place(elements[child], at: position)
            position = child
        }
        place(element, at: position)
    }

    private mutating func place(_ element: Element, at position: Int) {
        elements[position] = element
        element.heapPosition = position
    }
}
