import Cycles

/// The messages of JSON-RPC 2.0 as the Model Context Protocol uses them: one object a line, no batches.
enum JSONRPC {
    /// The error codes of JSON-RPC 2.0 and of the Model Context Protocol.
    enum Code: Int64 {
        case parseError = -32_700
        case invalidRequest = -32_600
        case methodNotFound = -32_601
        case invalidParameters = -32_602
        case internalError = -32_603
        /// The code for an unknown resource in revisions before 2026-07-28.
        case resourceNotFound = -32_002
        case unsupportedVersion = -32_022
    }

    /// An error answer.
    struct Failure: Error, Equatable {
        var code: Code
        var message: String
        var data: JSONValue?

        init(_ code: Code, _ message: String, data: JSONValue? = nil) {
            self.code = code
            self.message = message
            self.data = data
        }
    }

    enum Message: Equatable {
        /// A request, with the id that the answer repeats: a string or a whole number.
        case request(id: JSONValue, method: String, parameters: [String: JSONValue])
        case notification(method: String, parameters: [String: JSONValue])
        /// An answer. This server sends no requests, so that an answer has no meaning.
        case answer
        /// A message that is answered with an error. The id is null if it is not known.
        case invalid(id: JSONValue, Failure)
    }

    /// Parses a line.
    static func message(_ line: [UInt8]) -> Message {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: line)
        } catch {
            return .invalid(id: .null, Failure(.parseError, "The message is not JSON: \(error)"))
        }
        guard let members = value.object else {
            let reason = value.array == nil ? "The message is not an object" : "Batches are not supported"
            return .invalid(id: .null, Failure(.invalidRequest, "\(reason); send one object a line"))
        }
        let id = members["id"].flatMap(identifier)
        func invalid(_ reason: String) -> Message {
            .invalid(id: id ?? .null, Failure(.invalidRequest, "The request is not valid: \(reason)"))
        }
        guard members["jsonrpc"]?.string == "2.0" else { return invalid("jsonrpc has to be \"2.0\"") }
        guard let method = members["method"] else {
            let isAnswer = members["result"] != nil || members["error"] != nil
            return isAnswer ? .answer : invalid("method is missing")
        }
        guard let name = method.string else { return invalid("method has to be a string") }
        guard let parameters = members["params"].orEmpty.object else {
            return invalid("params has to be an object")
        }
        guard members["id"] != nil else { return .notification(method: name, parameters: parameters) }
        guard let id else { return invalid("id has to be a string or a whole number") }
        return .request(id: id, method: name, parameters: parameters)
    }

    /// The id of a request; nil for values that are neither a string nor a whole number.
    static func identifier(_ value: JSONValue) -> JSONValue? {
        switch value {
        case .string: return value
        case .number(let number) where number.digits.utf8.allSatisfy({ $0 == 0x2d || $0 &- 0x30 < 10 }): return value
        default: return .none
        }
    }

    /// Formats an answer as a line.
    /// - Parameter members: The members of the result, as JSON text without braces.
    static func answer(_ id: JSONValue, members: String) -> [UInt8] {
        line(id, "\"result\":{\(members)}")
    }

    /// Formats an error answer as a line.
    static func answer(_ id: JSONValue, _ failure: Failure) -> [UInt8] {
        var error: [String: JSONValue] = [
            "code": .number(JSONNumber(failure.code.rawValue)), "message": .string(failure.message),
        ]
        error["data"] = failure.data
        return line(id, "\"error\":\(JSONValue.object(error).text)")
    }

    private static func line(_ id: JSONValue, _ members: String) -> [UInt8] {
        Array("{\"jsonrpc\":\"2.0\",\"id\":\(id.text),\(members)}\n".utf8)
    }
}

extension JSONValue? {
    /// The value; an empty object if it is absent or null, as some clients send it.
    var orEmpty: JSONValue { if let self, self != .null { self } else { .object([:]) } }
}

extension JSONValue {
    /// The value as JSON text.
    var text: String { String(decoding: encoded, as: UTF8.self) }

    static func whole(_ value: Int64) -> JSONValue { .number(JSONNumber(value)) }
}
