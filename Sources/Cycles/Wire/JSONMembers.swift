/// The members of the objects that a reader is in, the innermost object's last.
package struct JSONMembers: ~Copyable {
    package struct Member {
        let name: JSONName
        /// The place of the value.
        let value: Range<Int>
    }

    // Owned, and of a size that malloc keeps at hand.
    private var memory = UnsafeMutablePointer<Member>.allocate(capacity: 24)
    private var capacity = 24
    package private(set) var count = 0

    deinit { memory.deallocate() }

    mutating func append(_ member: Member) {
        if count == capacity { grow() }
        (memory + count).initialize(to: member)
        count += 1
    }

    mutating func removeAll(from index: Int) { count = index }

    /// The value of the last member with a name from an index on.
    func value(of name: StaticString, from first: Int, to end: Int) -> Range<Int>? {
        var index = end
        while index > first {
            index -= 1
            if memory[index].name == name { return memory[index].value }
        }
        return nil
    }

    private mutating func grow() {
        capacity *= 2
        let grown = UnsafeMutablePointer<Member>.allocate(capacity: capacity)
        grown.moveInitialize(from: memory, count: count)
        memory.deallocate()
        memory = grown
    }
}
