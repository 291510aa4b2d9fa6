import Cycles

/// A resource that the authority answers.
struct BudgetResource: Equatable {
    enum Kind: String, CaseIterable {
        case balances = "cycles://balances/"
        case reservation = "cycles://reservations/"

        /// The tool that shows the same data. The resource is readable if the tool is allowed.
        var tool: BudgetTool {
            switch self {
            case .balances: .checkBalance
            case .reservation: .getReservation
            }
        }

        /// The entry in the list of templates, as JSON.
        var definition: String {
            switch self {
            case .balances:
                #"{"uriTemplate":"cycles://balances/{tenant}","name":"balances","title":"Balances of a tenant","description":"Allocated, spent, held and remaining budget of the tenant's scopes","mimeType":"application/json"}"#
            case .reservation:
                #"{"uriTemplate":"cycles://reservations/{id}","name":"reservation","title":"A reservation","description":"Status, amounts, times and scopes of a reservation","mimeType":"application/json"}"#
            }
        }
    }

    static let quickStartURI = "cycles://docs/quickstart"
    static let quickStartDefinition =
        "{\"uri\":\"\(quickStartURI)\",\"name\":\"quickstart\",\"title\":\"Quick start\",\"description\":\"The steps of spending within a budget\",\"mimeType\":\"text/markdown\"}"

    let uri: String
    let kind: Kind
    /// The tenant, or the id of the reservation.
    let name: String

    /// Parses a URI; nil if it names no resource.
    init?(_ uri: String) {
        guard let kind = Kind.allCases.first(where: { uri.hasPrefix($0.rawValue) }),
            let name = BudgetResource.decoded(uri.utf8.dropFirst(kind.rawValue.utf8.count)),
            (1...128).contains(name.unicodeScalars.count)
        else { return nil }
        self.uri = uri
        self.kind = kind
        self.name = name
    }

    /// The result of `resources/read`, as JSON text without braces.
    static func contents(_ uri: String, _ type: String, _ text: String) -> String {
        let entry: JSONValue = ["uri": .string(uri), "mimeType": .string(type), "text": .string(text)]
        return "\"contents\":[\(entry.text)]"
    }

    /// The error for a URI without a resource.
    static func unknown(_ uri: String) -> JSONRPC.Failure {
        JSONRPC.Failure(.resourceNotFound, "There is no resource \(uri)", data: ["uri": .string(uri)])
    }

    /// Decodes percent-encoding (RFC 3986 section 2.1); nil if the text is not valid.
    private static func decoded(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") { return nil }
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = Substring(rest.prefix(2))
            guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let code = UInt8(digits, radix: 16) else {
                return nil
            }
            bytes.append(code)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
