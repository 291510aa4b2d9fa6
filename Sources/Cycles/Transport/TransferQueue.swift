/// Limits the number of connections, and orders the requests that wait for one.
///
/// Leases precede settlements, and settlements precede other requests. Requests of one priority keep their order. All
/// priorities share `limit` connections. Leases and settlements have `reserved` more connections each, which no other
/// priority can use: hanging requests cannot delay a lease or a settlement.
package struct TransferQueue<Element> {
    private var lines: [FirstInFirstOut<Element>] = RequestPriority.allCases.map { _ in FirstInFirstOut() }
    private var inUseByPriority = RequestPriority.allCases.map { _ in 0 }
    private let limit: Int
    private let reserved: Int

    package init(limit: Int, reserved: Int = 0) {
        self.limit = limit
        self.reserved = reserved
    }

    package var isEmpty: Bool { lines.allSatisfy(\.isEmpty) }

    /// The number of elements that hold a connection.
    package var inUse: Int { inUseByPriority.reduce(0, +) }

    /// Whether ``next()`` has an element to return.
    package var hasNext: Bool { nextPriority != nil }

    package mutating func enqueue(_ element: Element, priority: RequestPriority) {
        lines[priority.rawValue].append(element)
    }

    /// Takes a connection for an element without queueing; returns false if the element has to wait. ``finishOne(_:)``
    /// ends its use of the connection.
    package mutating func startAtOnce(_ priority: RequestPriority) -> Bool {
        guard lines[priority.rawValue].isEmpty, hasConnection(for: priority) else { return false }
        inUseByPriority[priority.rawValue] += 1
        return true
    }

    /// Removes and returns the next element that has a connection. ``finishOne(_:)`` ends its use of the connection.
    package mutating func next() -> Element? {
        guard let priority = nextPriority else { return nil }
        inUseByPriority[priority.rawValue] += 1
        return lines[priority.rawValue].popFirst()
    }

    /// Frees the connection of an element with this priority.
    package mutating func finishOne(_ priority: RequestPriority) { inUseByPriority[priority.rawValue] -= 1 }

    /// Removes the matching elements. Takes time proportional to the length of the queue.
    package mutating func removeAll(where matches: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for index in lines.indices { removed += lines[index].removeAll(where: matches) }
        return removed
    }

    private var nextPriority: RequestPriority? {
        RequestPriority.allCases.first { !lines[$0.rawValue].isEmpty && hasConnection(for: $0) }
    }

    /// Reserved connections are used first. A shared one is used only if the reserved ones do not suffice.
    private func hasConnection(for priority: RequestPriority) -> Bool {
        if inUseByPriority[priority.rawValue] < reserved(for: priority) { return true }
        let shared = RequestPriority.allCases.reduce(0) {
            $0 + max(0, inUseByPriority[$1.rawValue] - reserved(for: $1))
        }
        return shared < limit
    }

    private func reserved(for priority: RequestPriority) -> Int { priority == .normal ? 0 : reserved }
}

/// A queue that removes its first element in amortized constant time.
private struct FirstInFirstOut<Element> {
    /// The first elements, in reverse order.
    private var front: [Element] = []
    private var back: [Element] = []

    var isEmpty: Bool { front.isEmpty && back.isEmpty }

    mutating func append(_ element: Element) { back.append(element) }

    mutating func popFirst() -> Element? {
        if front.isEmpty {
            swap(&front, &back)
            front.reverse()
        }
        return front.popLast()
    }

    mutating func removeAll(where matches: (Element) -> Bool) -> [Element] {
        defer {
            front.removeAll(where: matches)
            back.removeAll(where: matches)
        }
        return front.reversed().filter(matches) + back.filter(matches)
    }
}
