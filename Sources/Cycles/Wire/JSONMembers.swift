/// A stack of the members of the objects being read. The members of the innermost object are last.
package struct JSONMembers: ~Copyable {
    package struct Member {
        let name: JSONText
        /// The position of the value in the document.
        let value: Int
    }

    // Owned. The capacity is a size that malloc allocates quickly.
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

    /// Returns the position of the value of the last member with a name, among the members in a range of indices.
    func value(of name: StaticString, from first: Int, to end: Int) -> Int? {
        let length = name.utf8CodeUnitCount
        var member = memory + end
        while member > memory + first {
            member -= 1
            let candidate = member.pointee.name
            if candidate.length == length || candidate.hasEscapes, candidate == name { return member.pointee.value }
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
