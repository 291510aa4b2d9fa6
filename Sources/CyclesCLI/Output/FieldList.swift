import Cycles

/// Names and values below each other, for one thing in its parts.
struct FieldList {
    private var fields: [(name: String, value: String)] = []

    /// Adds a field; none for nil.
    mutating func add(_ name: String, _ value: String?) {
        if let value { fields.append((name, value)) }
    }

    mutating func add(_ name: String, _ value: (some CustomStringConvertible)?) {
        add(name, value.map { "\($0)" })
    }

    mutating func add(_ name: String, _ values: [String]?) {
        if let values, !values.isEmpty { add(name, values.joined(separator: ", ")) }
    }

    var lines: [String] {
        let width = fields.map(\.name.count).max() ?? 0
        return fields.map { $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.value }
    }
}
