/// Who gets the next connection: a value that knows how many are in use and who waits.
///
/// Leases go before settlements, settlements before everything else, and among equals the first to come goes first.
package struct TransferQueue<Element> {
    private var lines: [FirstInFirstOut<Element>] = RequestPriority.allCases.map { _ in FirstInFirstOut() }
    private let limit: Int
    package private(set) var inUse = 0

    package init(limit: Int) { self.limit = limit }

    package var isEmpty: Bool { lines.allSatisfy(\.isEmpty) }

    package mutating func enqueue(_ element: Element, priority: RequestPriority) {
        lines[priority.rawValue].append(element)
    }

    /// The next to go, if there is a connection for it.
    package mutating func next() -> Element? {
        guard inUse < limit else { return nil }
        for index in lines.indices {
            if let element = lines[index].popFirst() {
                inUse += 1
                return element
            }
        }
        return nil
    }

    /// A connection has become free.
    package mutating func finishOne() { inUse -= 1 }

    /// Takes out of the line whoever matches. Slow, for those who give up.
    package mutating func removeAll(where matches: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for index in lines.indices { removed += lines[index].removeAll(where: matches) }
        return removed
    }
}

/// A line in which leaving at the front costs nothing.
private struct FirstInFirstOut<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 64, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    mutating func removeAll(where matches: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        var kept: [Element?] = []
        for case .some(let element) in elements[head...] {
            if matches(element) { removed.append(element) } else { kept.append(element) }
        }
        elements = kept
        head = 0
        return removed
    }
}
