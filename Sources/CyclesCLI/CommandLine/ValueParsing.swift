import Cycles

/// Parsers for the values in a command line.
enum Values {
    static func text(_ text: String) throws(InvalidValue) -> String {
        guard !text.isEmpty else { throw InvalidValue(expectation: "a text of at least one character") }
        return text
    }

    /// Parses milliseconds, or a number with `ms`, `s`, `m` or `h`.
    static func duration(_ text: String) throws(InvalidValue) -> Duration {
        let units: [(suffix: String, milliseconds: Double)] = [
            ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1),
        ]
        if let unit = units.first(where: { text.hasSuffix($0.suffix) }) {
            let number = text.dropLast(unit.suffix.count)
            // `Double` also reads exponents and hexadecimal digits.
            let isPlain = number.utf8.allSatisfy { $0 &- 0x30 < 10 || $0 == UInt8(ascii: ".") }
            if isPlain, number.first != ".", let value = Double(number), value * unit.milliseconds < 3.2e14 {
                return .milliseconds(Int64(value * unit.milliseconds))
            }
        }
        throw InvalidValue(expectation: "a time such as 30s, 500ms, 2m or 1h")
    }

    static func positiveDuration(_ text: String) throws(InvalidValue) -> Duration {
        let duration = try duration(text)
        guard duration > .zero else { throw InvalidValue(expectation: "a time of more than zero, such as 2s") }
        return duration
    }

    /// Parses an amount such as `1000:TOKENS` or `0.05USD`; the unit in any letter case.
    static func amount(_ text: String) throws(InvalidValue) -> Amount {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count <= 2, let amount = try? Amount(parsing: parts.joined(separator: " ")) { return amount }
        throw InvalidValue(
            expectation:
                "a whole number and a unit, such as 1000:TOKENS, or dollars, such as 0.05USD; units are \(unitNames)"
        )
    }

    static let units: [BudgetUnit] = [.usdMicrocents, .tokens, .credits, .riskPoints]
    private static var unitNames: String { units.map(\.rawValue).joined(separator: ", ") }

    static func unit(_ text: some StringProtocol) -> BudgetUnit? {
        units.first { $0.rawValue == text.uppercased() }
    }

    /// Parses a subject such as `tenant=acme,agent=bot`. Nonstandard names are dimensions.
    static func subject(_ text: String) throws(InvalidValue) -> Subject {
        var subject = Subject()
        for (name, value) in try namedValues(text) where !subject.set(name, value) {
            subject.dimensions = (subject.dimensions ?? [:]).merging([name: value]) { $1 }
        }
        return subject
    }

    /// Parses a subject for a look-up, which has standard names only.
    static func levels(_ text: String) throws(InvalidValue) -> Subject {
        var subject = Subject()
        for (name, value) in try namedValues(text) where !subject.set(name, value) {
            let similar = Spelling.nearest(to: name, among: Subject.levels).map { ", perhaps \($0)" } ?? ""
            throw InvalidValue(
                expectation: "of \(Subject.levels.joined(separator: ", ")) only: not \(name)\(similar)"
            )
        }
        return subject
    }

    private static func namedValues(_ text: String) throws(InvalidValue) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard pair.count == 2, !pair[0].isEmpty, !pair[1].isEmpty else {
                throw InvalidValue(expectation: "names and values, such as tenant=acme,agent=bot")
            }
            result.append((pair[0], pair[1]))
        }
        return result
    }

    /// Parses an action such as `llm.completion/gpt-4o`. Only the name may contain slashes.
    static func action(_ text: String) throws(InvalidValue) -> Action {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw InvalidValue(expectation: "a kind and a name, such as llm.completion/gpt-4o")
        }
        return Action(kind: String(parts[0]), name: String(parts[1]))
    }

    static func overagePolicy(_ text: String) throws(InvalidValue) -> CommitOveragePolicy {
        let name = text.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        guard overagePolicies.contains(name) else {
            throw InvalidValue(expectation: "one of \(overagePolicies.joined(separator: ", "))")
        }
        return CommitOveragePolicy(rawValue: name)
    }

    static let overagePolicies = [
        CommitOveragePolicy.reject, .allowIfAvailable, .allowWithOverdraft,
    ].map(\.rawValue)

    static func status(_ text: String) throws(InvalidValue) -> ReservationStatus {
        guard statuses.contains(text.uppercased()) else {
            throw InvalidValue(expectation: "one of \(statuses.joined(separator: ", "))")
        }
        return ReservationStatus(rawValue: text.uppercased())
    }

    static let statuses = [ReservationStatus.active, .committed, .released, .expired].map(\.rawValue)

    static func jsonObject(_ text: String) throws(InvalidValue) -> [String: JSONValue] {
        do throws(JSONError) {
            let value = try JSONValue(parsing: Array(text.utf8))
            if let object = value.object { return object }
        } catch {
            throw InvalidValue(expectation: "a JSON object (\(error))")
        }
        throw InvalidValue(expectation: "a JSON object, such as {\"run\": 42}")
    }

    static func whole(from least: Int = 0, to most: Int = .max) -> @Sendable (String) throws(InvalidValue) -> Int {
        { text throws(InvalidValue) in
            guard let number = Int(text), (least...most).contains(number) else {
                let range = most == .max ? "of \(least) or more" : "from \(least) to \(most)"
                throw InvalidValue(expectation: "a whole number \(range)")
            }
            return number
        }
    }

    /// Parses a whole number as programs print it, such as `42`, `42.0` or `1e3`. Returns nil for fractions, for
    /// numbers beyond `Int64`, and for other texts.
    static func wholeNumber(_ text: String) -> Int64? {
        if let number = Int64(text) { return number }
        let isDigit: (UInt8) -> Bool = { $0 &- 0x30 < 10 }
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        let whole = rest.prefix(while: isDigit)
        rest = rest.dropFirst(whole.count)
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix(while: isDigit)
            rest = rest.dropFirst(1 + fraction.count)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        var exponent = 0
        if let mark = rest.first {
            let digits = rest.dropFirst()
            let sign = digits.first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") } ?? false
            guard mark | 0x20 == UInt8(ascii: "e"), digits.dropFirst(sign ? 1 : 0).allSatisfy(isDigit),
                digits.count > (sign ? 1 : 0)
            else { return nil }
            // An exponent that does not fit an `Int` is clamped: unless the number is 0, it is out of range in any
            // case.
            let limit = digits.first == UInt8(ascii: "-") ? -1_000_000 : 1_000_000
            exponent = Int(String(decoding: digits, as: UTF8.self)).map { min(max($0, -1_000_000), 1_000_000) } ?? limit
        }
        var digits = Array((whole + fraction).drop { $0 == 0x30 })
        exponent -= fraction.count
        while digits.last == 0x30 {
            digits.removeLast()
            exponent += 1
        }
        if digits.isEmpty { return 0 }
        guard exponent >= 0, digits.count + exponent <= 19 else { return nil }
        digits += [UInt8](repeating: 0x30, count: exponent)
        return Int64((isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self))
    }

    /// Removes the byte order mark that some editors write before UTF-8.
    static func withoutByteOrderMark(_ bytes: [UInt8]) -> [UInt8] {
        bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
    }

    static func word<Value: Sendable>(
        _ words: KeyValuePairs<String, Value>
    ) -> @Sendable (String) throws(InvalidValue) -> Value {
        let known = words.map { ($0.key, $0.value) }
        return { text throws(InvalidValue) in
            guard let match = known.first(where: { $0.0 == text }) else {
                throw InvalidValue(expectation: "one of \(known.map(\.0).joined(separator: ", "))")
            }
            return match.1
        }
    }
}

extension Subject {
    /// The standard names, from the root down.
    fileprivate static let levels = ["tenant", "workspace", "app", "workflow", "agent", "toolset"]

    /// Sets a standard field. Returns false for other names.
    fileprivate mutating func set(_ name: String, _ value: String) -> Bool {
        switch name {
        case "tenant": tenant = value
        case "workspace": workspace = value
        case "app": app = value
        case "workflow": workflow = value
        case "agent": agent = value
        case "toolset": toolset = value
        default: return false
        }
        return true
    }
}
