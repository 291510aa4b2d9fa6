import Cycles

/// Formats the fields of one object, one field a line.
struct FieldList {
    private var fields: [(name: String, value: String)] = []

    /// Adds a field unless its value is nil.
    mutating func add(_ name: String, _ value: String?) {
        if let value { fields.append((name, value)) }
    }

    mutating func add(_ name: String, _ value: (some CustomStringConvertible)?) {
        add(name, value.map { "\($0)" })
    }

    mutating func add(_ name: String, _ amount: Amount?) { add(name, amount?.withDollars) }

    mutating func add(_ name: String, _ values: [String]?) {
        if let values, !values.isEmpty { add(name, values.joined(separator: ", ")) }
    }

    var lines: [String] {
        let width = fields.map(\.name.count).max() ?? 0
        return fields.map { $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.value }
    }
}
