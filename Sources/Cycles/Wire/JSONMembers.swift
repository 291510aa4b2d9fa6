/// The members of the objects that a reader is in, the innermost object's last.
package struct JSONMembers: ~Copyable {
    package struct Member {
        let name: JSONText
        /// The position of the value in the document.
        let value: Int
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

    /// The position of the value of the last member with a name, among those from one index up to another.
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
