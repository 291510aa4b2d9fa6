import Cycles

/// The end of a page in a list. Clients receive it as an opaque text.
struct PageCursor: Sendable {
    /// The identity of the list, filters of a sorted list included. A cursor is valid for its own list only
    /// (specification: TIME-RANGE FILTERS, cursor invalidation).
    let list: JSONValue
    /// The sort keys of the last row.
    let last: [JSONValue]

    init(list: JSONValue, last: [JSONValue]) {
        self.list = list
        self.last = last
    }

    /// Reads the cursor of a query; nil if it has none.
    init?(_ query: RequestQuery, of list: JSONValue) throws(Refusal) {
        guard let text = query.filled("cursor") else { return nil }
        let fingerprint = PageCursor.fingerprint(list)
        guard let bytes = PageCursor.bytes(hexadecimal: text), let value = try? JSONValue(parsing: bytes),
            let last = value["last"]?.array, let found = value["list"]?.string
        else { throw .invalid("cursor is not one that this list gave") }
        guard found == fingerprint else { throw .invalid("cursor belongs to a list with other filters") }
        self.init(list: list, last: last)
    }

    var text: String {
        let value: JSONValue = ["list": .string(PageCursor.fingerprint(list)), "last": .array(last)]
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: value.encoded.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func fingerprint(_ list: JSONValue) -> String {
        ContentDigest.hexadecimal(of: list.encoded, words: 2)
    }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
        let values = digits.compactMap { $0 }
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}

/// A value by which rows are sorted.
enum SortKey: Comparable, Sendable {
    case number(Int64)
    case text(String)

    init?(_ json: JSONValue) {
        if let number = json.int64 {
            self = .number(number)
        } else if let text = json.string {
            self = .text(text)
        } else {
            return nil
        }
    }

    var json: JSONValue {
        switch self {
        case .number(let number): .whole(number)
        case .text(let text): .string(text)
        }
    }
}

/// One page of sorted rows.
struct Page<Row> {
    let rows: [Row]
    let next: PageCursor?

    /// Takes the first rows after the cursor.
    init(
        _ rows: [Row],
        list: JSONValue,
        limit: Int,
        after cursor: PageCursor?,
        keys: (Row) -> [SortKey],
        isOrdered: (_ left: [SortKey], _ right: [SortKey]) -> Bool
    ) {
        let last = cursor.map { $0.last.compactMap(SortKey.init) }
        let rest = rows.drop { row in last.map { !isOrdered($0, keys(row)) } ?? false }
        self.rows = Array(rest.prefix(limit))
        next = rest.count > limit ? self.rows.last.map { PageCursor(list: list, last: keys($0).map(\.json)) } : nil
    }

    func json(_ name: String, _ encode: (Row) -> JSONValue) -> JSONValue {
        var members: [String: JSONValue] = [name: .array(rows.map(encode)), "has_more": .bool(next != nil)]
        members["next_cursor"] = next.map { .string($0.text) }
        return .object(members)
    }
}
