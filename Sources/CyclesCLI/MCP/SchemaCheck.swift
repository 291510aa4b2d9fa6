import Cycles

/// Checks values against the part of JSON Schema (2020-12) that the tools use, so that the published schema and the
/// check cannot differ.
enum SchemaCheck {
    /// The defect of a value, as a sentence without a full stop.
    struct Defect: Error, Equatable {
        var message: String

        init(_ path: String, _ expectation: String) {
            message = "\(path.isEmpty ? "the value" : path) has to be \(expectation)"
        }

        init(message: String) { self.message = message }
    }

    /// Checks arguments. Optional members that are null count as absent, as many models send them.
    /// - Returns: The arguments without absent members, and with whole numbers in plain digits.
    static func arguments(_ value: JSONValue, _ schema: JSONValue) throws(Defect) -> JSONValue {
        try checked(value, schema, "", dropsDefects: false)
    }

    /// Checks a result. Optional members of another form than the schema's are left out.
    static func result(_ value: JSONValue, _ schema: JSONValue) throws(Defect) -> JSONValue {
        try checked(value, schema, "", dropsDefects: true)
    }

    private static func checked(
        _ value: JSONValue,
        _ schema: JSONValue,
        _ path: String,
        dropsDefects: Bool
    ) throws(Defect) -> JSONValue {
        switch schema["type"]?.string {
        case "object":
            guard let members = value.object else { throw Defect(path, "an object") }
            return .object(try object(members, schema, path, dropsDefects))
        case "array":
            guard let elements = value.array else { throw Defect(path, "an array") }
            if let most = schema["maxItems"]?.int64, elements.count > most {
                throw Defect(path, "an array of at most \(most) elements")
            }
            var result: [JSONValue] = []
            for element in elements {
                let place = "\(path)[\(result.count)]"
                result.append(try checked(element, schema["items"] ?? [:], place, dropsDefects: dropsDefects))
            }
            return .array(result)
        case "string":
            try string(value, schema, path)
            return value
        case "integer": return .whole(try integer(value, schema, path))
        case "boolean":
            guard value.bool != nil else { throw Defect(path, "true or false") }
            return value
        default: return value
        }
    }

    private static func object(
        _ members: [String: JSONValue],
        _ schema: JSONValue,
        _ path: String,
        _ dropsDefects: Bool
    ) throws(Defect) -> [String: JSONValue] {
        let properties = schema["properties"]?.object ?? [:]
        let required = schema["required"]?.array?.compactMap(\.string) ?? []
        let prefix = path.isEmpty ? "" : path + "."
        for name in required where members[name] ?? .null == .null {
            throw Defect(message: "\(prefix)\(name) is missing")
        }
        var result: [String: JSONValue] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let property = properties[name] ?? additional(schema) else {
                let similar = Spelling.nearest(to: name, among: Array(properties.keys))
                let known = properties.keys.sorted().joined(separator: ", ")
                let advice = similar.map { "did you mean \(prefix)\($0)?" } ?? "the names are \(known)"
                throw Defect(message: "there is no \(prefix)\(name); \(advice)")
            }
            if value == .null, properties[name] != nil { continue }
            do throws(Defect) {
                result[name] = try checked(value, property, prefix + name, dropsDefects: dropsDefects)
            } catch {
                if !dropsDefects || required.contains(name) { throw error }
            }
        }
        return result
    }

    /// The schema of members without a schema of their own; nil if there may be none.
    private static func additional(_ schema: JSONValue) -> JSONValue? {
        let additional = schema["additionalProperties"] ?? [:]
        // `nil` would be the value null.
        return additional.bool == false ? .none : .some(additional)
    }

    private static func string(_ value: JSONValue, _ schema: JSONValue, _ path: String) throws(Defect) {
        guard let text = value.string else { throw Defect(path, "a string") }
        if let words = schema["enum"]?.array?.compactMap(\.string), !words.contains(text) {
            throw Defect(path, "one of \(words.joined(separator: ", "))")
        }
        let count = text.unicodeScalars.count
        let (least, most) = (schema["minLength"]?.int64 ?? 0, schema["maxLength"]?.int64 ?? .max)
        if count < least || count > most { throw Defect(path, "a string of \(least) to \(most) characters") }
    }

    private static func integer(_ value: JSONValue, _ schema: JSONValue, _ path: String) throws(Defect) -> Int64 {
        let (least, most) = (schema["minimum"]?.int64 ?? .min, schema["maximum"]?.int64 ?? .max)
        guard case .number(let number) = value, let whole = Values.wholeNumber(number.digits),
            (least...most).contains(whole)
        else {
            let range = most == .max ? (least == .min ? "" : " of \(least) or more") : " from \(least) to \(most)"
            throw Defect(path, "a whole number\(range)")
        }
        return whole
    }
}
