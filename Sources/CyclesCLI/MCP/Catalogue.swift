import Cycles

/// The parts of a session that do not change: lists, texts and permissions.
struct Catalogue {
    /// The time for which a client may keep lists, in milliseconds. A server with other options may follow.
    static let lifetime = 300_000
    /// The server's name and version, as JSON.
    static let identity =
        "{\"name\":\"cycles\",\"title\":\"Cycles budget authority\",\"version\":\"\(CyclesVersion.current)\"}"

    /// A call that is answered without the authority.
    struct Refusal: Error {
        var result: ToolResult
    }

    private let permissions: Permissions
    /// The members of results, as JSON text.
    let tools: String
    let templates: String
    let resources = "\"resources\":[\(BudgetResource.quickStartDefinition)]"
    private let instructions: String

    init(_ permissions: Permissions) {
        self.permissions = permissions
        tools = "\"tools\":[\(permissions.tools.map(\.definition).joined(separator: ","))]"
        let templates = BudgetResource.Kind.allCases.filter { permissions.allows($0.tool) }.map(\.definition)
        self.templates = "\"resourceTemplates\":[\(templates.joined(separator: ","))]"
        instructions = JSONValue.string(BudgetTexts.instructions).text
    }

    // MARK: Beginning

    /// The result of `initialize`: the requested revision if it is supported, or the latest of its era.
    func initialization(_ version: String?) -> String {
        let known = MCPSession.versions.dropFirst()
        let version = version.flatMap { known.contains($0) ? $0 : nil } ?? known.first ?? ""
        return "\"protocolVersion\":\"\(version)\",\"serverInfo\":\(Catalogue.identity),\(capabilities)"
    }

    /// The result of `server/discover`.
    var discovery: String {
        let versions = MCPSession.versions.map { "\"\($0)\"" }.joined(separator: ",")
        return "\"supportedVersions\":[\(versions)],\(capabilities)"
    }

    private var capabilities: String {
        "\"capabilities\":{\"tools\":{},\"resources\":{},\"prompts\":{}},\"instructions\":\(instructions)"
    }

    // MARK: Calls

    /// Checks a call of a tool.
    /// - Returns: The tool, and its arguments or the refusal that the model gets.
    func call(_ parameters: [String: JSONValue]) throws(JSONRPC.Failure) -> (BudgetTool, Result<JSONValue, Refusal>) {
        guard let name = parameters["name"]?.string else {
            throw JSONRPC.Failure(.invalidParameters, "The name of the tool is missing")
        }
        guard let tool = BudgetTool(rawValue: name), permissions.allows(tool) else {
            throw JSONRPC.Failure(.invalidParameters, "There is no tool \(name)")
        }
        do throws(SchemaCheck.Defect) {
            let arguments = try SchemaCheck.arguments(parameters["arguments"].orEmpty, tool.schema(BudgetSchemas.input))
            return (
                tool, permissions.refusal(tool, arguments).map { .failure(Refusal(result: $0)) } ?? .success(arguments)
            )
        } catch {
            let refusal = ToolResult(refusal: "Nothing was sent: \(error.message)", code: "INVALID_ARGUMENTS")
            return (tool, .failure(Refusal(result: refusal)))
        }
    }

    // MARK: Resources

    /// The resource with a URI; nil for the quick start, which needs no authority.
    func resource(_ uri: String?) throws(JSONRPC.Failure) -> BudgetResource? {
        guard let uri else { throw JSONRPC.Failure(.invalidParameters, "The uri of the resource is missing") }
        if uri == BudgetResource.quickStartURI { return nil }
        guard let resource = BudgetResource(uri), permissions.allows(resource.kind.tool) else {
            throw BudgetResource.unknown(uri)
        }
        return resource
    }

    /// The result of reading the quick start.
    var quickStart: String {
        BudgetResource.contents(BudgetResource.quickStartURI, "text/markdown", BudgetTexts.quickStart)
    }
}

extension BudgetTool {
    /// A schema of the tool, parsed.
    func schema(_ text: (BudgetTool) -> String) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: Array(text(self).utf8))
        } catch {
            preconditionFailure("the schema of \(rawValue) is not JSON: \(error)")
        }
    }
}
