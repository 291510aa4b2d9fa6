/// The numbers of what happened in simulated worlds.
package struct Tally: Sendable {
    package private(set) var counts: [String: Int] = [:]

    package subscript(name: String) -> Int { counts[name] ?? 0 }

    mutating func count(_ name: String, _ number: Int = 1) {
        if number != 0 { counts[name, default: 0] += number }
    }

    package mutating func add(_ other: Tally) { counts.merge(other.counts) { $0 + $1 } }
}
