import Cycles

/// The server's side of a session of the Model Context Protocol, without input and output.
///
/// Serves two eras of the protocol. A request whose `_meta` names a protocol version is complete in itself (revision
/// 2026-07-28). Any other request belongs to the session that `initialize` begins (revisions 2025-06-18 and
/// 2025-11-25). Answers depend on no earlier request.
struct MCPSession {
    /// The work of a request that needs the authority.
    enum Call: Equatable {
        /// A call of a tool, with checked arguments.
        case tool(BudgetTool, JSONValue)
        case resource(BudgetResource)
    }

    enum Action: Equatable {
        /// Write a line.
        case send([UInt8])
        /// Perform a call, then report its result with the call's number.
        case start(Int, Call)
        /// Cancel a call. Its result is not sent.
        case cancel(Int)
        /// Release what is held, and end the process.
        case end
    }

    /// The result of a call: the members of its JSON object, as text, or an error.
    typealias CallResult = Result<String, JSONRPC.Failure>

    private struct Pending {
        var id: JSONValue
        var isModern: Bool
        /// The time for which the client may keep the result, in milliseconds; nil if that does not apply.
        var lifetime: Int?
    }

    static let modernVersion = "2026-07-28"
    static let versions = [modernVersion, "2025-11-25", "2025-06-18"]
    /// The maximum number of calls in progress.
    static let maximumCalls = 4_096

    private let catalogue: Catalogue
    private var calls: [Int: Pending] = [:]
    /// The numbers of the calls in progress, by the ids of their requests.
    private var numbers: [JSONValue: Int] = [:]
    private var lastNumber = 0
    private var isInputOver = false

    init(_ permissions: Permissions = Permissions()) { catalogue = Catalogue(permissions) }

    // MARK: Input

    mutating func receive(_ line: LineSplitter.Line) -> [Action] {
        guard case .line(let bytes) = line else {
            let failure = JSONRPC.Failure(.invalidRequest, "The message is longer than the limit; it was skipped")
            return [.send(JSONRPC.answer(.null, failure))]
        }
        // A line of white space is no message.
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) { return [] }
        switch JSONRPC.message(bytes) {
        case .answer: return []
        case .invalid(let id, let failure): return [.send(JSONRPC.answer(id, failure))]
        case .notification(let method, let parameters):
            guard method == "notifications/cancelled", let id = parameters["requestId"] else { return [] }
            return cancel(id)
        case .request(let id, let method, let parameters):
            do throws(JSONRPC.Failure) {
                // The handshake belongs to the earlier revisions, whatever version its `_meta` names.
                let isModern = method == "initialize" ? false : try MCPSession.isModern(parameters)
                return answer(id, method, parameters, isModern)
            } catch {
                return [.send(JSONRPC.answer(id, error))]
            }
        }
    }

    /// Handles the end of the input. Calls in progress are still answered.
    mutating func endInput() -> [Action] {
        isInputOver = true
        return calls.isEmpty ? [.end] : []
    }

    /// Handles a request to end the process at once.
    mutating func interrupt() -> [Action] {
        let actions = calls.keys.sorted().map { Action.cancel($0) }
        calls = [:]
        numbers = [:]
        return actions + [.end]
    }

    /// Handles the result of a call.
    /// - Returns: The answer, and whether the client gets it: a cancelled call has no answer.
    mutating func finish(_ number: Int, _ result: CallResult) -> (actions: [Action], isAnswered: Bool) {
        guard let call = calls.removeValue(forKey: number) else { return ([], false) }
        numbers[call.id] = nil
        let line =
            switch result {
            case .success(let members): JSONRPC.answer(call.id, members: stamped(members, call.isModern, call.lifetime))
            case .failure(let failure): refused(call.id, failure, call.isModern)
            }
        return ([.send(line)] + (isInputOver && calls.isEmpty ? [.end] : []), true)
    }

    private mutating func cancel(_ id: JSONValue) -> [Action] {
        guard let number = numbers.removeValue(forKey: id) else { return [] }
        calls[number] = nil
        return [.cancel(number)] + (isInputOver && calls.isEmpty ? [.end] : [])
    }

    // MARK: Requests

    private mutating func answer(
        _ id: JSONValue,
        _ method: String,
        _ parameters: [String: JSONValue],
        _ isModern: Bool
    ) -> [Action] {
        do throws(JSONRPC.Failure) {
            return try actions(id, method, parameters, isModern)
        } catch {
            return [.send(refused(id, error, isModern))]
        }
    }

    private mutating func actions(
        _ id: JSONValue,
        _ method: String,
        _ parameters: [String: JSONValue],
        _ isModern: Bool
    ) throws(JSONRPC.Failure) -> [Action] {
        guard numbers[id] == nil else {
            throw JSONRPC.Failure(.invalidRequest, "The id \(id.text) belongs to a request in progress; use another")
        }
        func send(_ members: String, milliseconds: Int? = nil) -> [Action] {
            [.send(JSONRPC.answer(id, members: stamped(members, isModern, milliseconds)))]
        }
        switch method {
        case "initialize": return send(catalogue.initialization(parameters["protocolVersion"]?.string))
        case "ping" where !isModern: return send("")
        case "server/discover" where isModern: return send(catalogue.discovery, milliseconds: Catalogue.lifetime)
        case "tools/list": return send(catalogue.tools, milliseconds: Catalogue.lifetime)
        case "resources/list": return send(catalogue.resources, milliseconds: Catalogue.lifetime)
        case "resources/templates/list": return send(catalogue.templates, milliseconds: Catalogue.lifetime)
        case "prompts/list": return send(BudgetPrompt.list, milliseconds: Catalogue.lifetime)
        case "prompts/get": return send(try BudgetPrompt.messages(parameters))
        case "resources/read":
            guard let resource = try catalogue.resource(parameters["uri"]?.string) else {
                return send(catalogue.quickStart, milliseconds: Catalogue.lifetime)
            }
            return try start(id, .resource(resource), isModern)
        case "tools/call":
            let (tool, arguments) = try catalogue.call(parameters)
            switch arguments {
            case .success(let arguments): return try start(id, .tool(tool, arguments), isModern)
            case .failure(let refusal): return send(refusal.result.members)
            }
        default: throw JSONRPC.Failure(.methodNotFound, "There is no method \(method)")
        }
    }

    private mutating func start(_ id: JSONValue, _ call: Call, _ isModern: Bool) throws(JSONRPC.Failure) -> [Action] {
        guard calls.count < MCPSession.maximumCalls else {
            throw JSONRPC.Failure(.internalError, "\(calls.count) calls are in progress; wait for some to end")
        }
        lastNumber += 1
        // A balance may change at any time.
        let lifetime: Int? = if case .resource = call { 0 } else { nil }
        calls[lastNumber] = Pending(id: id, isModern: isModern, lifetime: lifetime)
        numbers[id] = lastNumber
        return [.start(lastNumber, call)]
    }

    /// Whether a request belongs to the revision in which each request names its version.
    private static func isModern(_ parameters: [String: JSONValue]) throws(JSONRPC.Failure) -> Bool {
        guard let meta = parameters["_meta"] else { return false }
        guard let members = meta.object else {
            throw JSONRPC.Failure(.invalidParameters, "_meta has to be an object")
        }
        let name = "io.modelcontextprotocol/protocolVersion"
        guard let version = members[name] else { return false }
        guard let version = version.string else {
            throw JSONRPC.Failure(.invalidParameters, "_meta: \(name) has to be a string")
        }
        guard version == modernVersion else {
            throw JSONRPC.Failure(
                .unsupportedVersion,
                "The protocol version \(version) is not supported",
                data: ["supported": .array(versions.map(JSONValue.string)), "requested": .string(version)]
            )
        }
        return true
    }

    private func refused(_ id: JSONValue, _ failure: JSONRPC.Failure, _ isModern: Bool) -> [UInt8] {
        var failure = failure
        // The revision 2026-07-28 has no code of its own for an unknown resource.
        if isModern, failure.code == .resourceNotFound { failure.code = .invalidParameters }
        return JSONRPC.answer(id, failure)
    }

    /// Adds the members that the revision 2026-07-28 requires.
    /// - Parameter milliseconds: The time for which the client may keep the result; nil if that does not apply.
    private func stamped(_ members: String, _ isModern: Bool, _ milliseconds: Int? = nil) -> String {
        guard isModern else { return members }
        let lifetime = milliseconds.map { "\"ttlMs\":\($0),\"cacheScope\":\"private\"," } ?? ""
        let meta = "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":\(Catalogue.identity)}"
        return "\"resultType\":\"complete\",\(lifetime)\(meta)\(members.isEmpty ? "" : ",")\(members)"
    }
}
