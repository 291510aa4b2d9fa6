/// The order in which requests get connections, and how many they may have: a value that knows what is in use and what
/// waits.
///
/// Leases go before settlements, settlements before the rest; requests of one priority keep their order. All priorities
/// share `limit` connections. Leases and settlements have `reserved` more each that no other priority can take, so that
/// no number of hanging requests keeps a lease or a settlement waiting for a place.
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

    /// How many elements hold a connection.
    package var inUse: Int { inUseByPriority.reduce(0, +) }

    /// Whether ``next()`` has an element to return.
    package var hasNext: Bool { nextPriority != nil }

    package mutating func enqueue(_ element: Element, priority: RequestPriority) {
        lines[priority.rawValue].append(element)
    }

    /// Takes a connection for an element that does not enter the queue; false if it has to wait. Its end is reported with
    /// ``finishOne(_:)``.
    package mutating func startAtOnce(_ priority: RequestPriority) -> Bool {
        guard lines[priority.rawValue].isEmpty, hasConnection(for: priority) else { return false }
        inUseByPriority[priority.rawValue] += 1
        return true
    }

    /// The next element for which there is a connection. Its end is reported with ``finishOne(_:)``.
    package mutating func next() -> Element? {
        guard let priority = nextPriority else { return nil }
        inUseByPriority[priority.rawValue] += 1
        return lines[priority.rawValue].popFirst()
    }

    /// A connection of an element with this priority has become free.
    package mutating func finishOne(_ priority: RequestPriority) { inUseByPriority[priority.rawValue] -= 1 }

    /// Removes the elements that match. Takes time in proportion to the length of the queue.
    package mutating func removeAll(where matches: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for index in lines.indices { removed += lines[index].removeAll(where: matches) }
        return removed
    }

    private var nextPriority: RequestPriority? {
        RequestPriority.allCases.first { !lines[$0.rawValue].isEmpty && hasConnection(for: $0) }
    }

    /// Reserved connections count as taken first, so that a shared one is only in use when they are not enough.
    private func hasConnection(for priority: RequestPriority) -> Bool {
        if inUseByPriority[priority.rawValue] < reserved(for: priority) { return true }
        let shared = RequestPriority.allCases.reduce(0) {
            $0 + max(0, inUseByPriority[$1.rawValue] - reserved(for: $1))
        }
        return shared < limit
    }

    private func reserved(for priority: RequestPriority) -> Int { priority == .normal ? 0 : reserved }
}

/// A queue whose first element is removed in constant time.
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
