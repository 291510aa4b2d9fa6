/// The entity whose budgets are charged (specification: `Subject`).
///
/// The server derives the scopes to charge from the six standard fields, in the order tenant, workspace, app, workflow,
/// agent, toolset. At least one field is required after the client's defaults are merged in. Portable values use
/// letters, digits, `_`, `.` and `-` only; a server may refuse others.
public struct Subject: Hashable, Sendable {
    /// The tenant, at most 128 Unicode scalars. Must be the tenant of the API key.
    public var tenant: String?
    /// The workspace, at most 128 Unicode scalars.
    public var workspace: String?
    /// The app, at most 128 Unicode scalars.
    public var app: String?
    /// The workflow, at most 128 Unicode scalars.
    public var workflow: String?
    /// The agent, at most 128 Unicode scalars.
    public var agent: String?
    /// The toolset, at most 128 Unicode scalars.
    public var toolset: String?
    /// Other dimensions for policy and reporting: at most 16, with values of at most 256 Unicode scalars.
    public var dimensions: [String: String]?

    /// Creates a subject. Missing fields are taken from the client's configuration.
    public init(
        tenant: String? = nil,
        workspace: String? = nil,
        app: String? = nil,
        workflow: String? = nil,
        agent: String? = nil,
        toolset: String? = nil,
        dimensions: [String: String]? = nil
    ) {
        self.tenant = tenant
        self.workspace = workspace
        self.app = app
        self.workflow = workflow
        self.agent = agent
        self.toolset = toolset
        self.dimensions = dimensions
    }

    /// Whether none of the six standard fields is set.
    package var isEmpty: Bool {
        tenant == nil && workspace == nil && app == nil && workflow == nil && agent == nil && toolset == nil
    }
}

/// The action that spends budget (specification: `Action`).
public struct Action: Hashable, Sendable {
    /// The kind of the action, `<category>.<operation>` such as `llm.completion` or `tool.search`; at most 64 Unicode
    /// scalars.
    public var kind: String
    /// The provider, model or tool, such as `openai:gpt-4o-mini`; at most 256 Unicode scalars.
    public var name: String
    /// Tags for policies, at most 10 of at most 64 Unicode scalars.
    public var tags: [String]

    /// Creates an action.
    public init(kind: String, name: String, tags: [String] = []) {
        self.kind = kind
        self.name = name
        self.tags = tags
    }
}

/// Limits within which an action may proceed (specification: `Caps`).
public struct Caps: Hashable, Sendable {
    /// The maximum number of tokens to use, 0 or more.
    public var maxTokens: Int64?
    /// The maximum number of further steps, 0 or more.
    public var maxStepsRemaining: Int64?
    /// The only tools that may be used, if not empty.
    public var toolAllowlist: [String]?
    /// The tools that may not be used; no effect if there is an allowlist.
    public var toolDenylist: [String]?
    /// The time to wait before the next action.
    public var cooldown: Duration?

    /// Creates caps. Omitted parameters are not limited.
    public init(
        maxTokens: Int64? = nil,
        maxStepsRemaining: Int64? = nil,
        toolAllowlist: [String]? = nil,
        toolDenylist: [String]? = nil,
        cooldown: Duration? = nil
    ) {
        self.maxTokens = maxTokens
        self.maxStepsRemaining = maxStepsRemaining
        self.toolAllowlist = toolAllowlist
        self.toolDenylist = toolDenylist
        self.cooldown = cooldown
    }

    /// Returns whether a tool may be used. Names are case-sensitive.
    ///
    /// A non-empty allowlist decides alone; otherwise a non-empty denylist decides. Without either, every tool is
    /// allowed (specification: `Caps`, PRECEDENCE RULES).
    public func allows(tool: String) -> Bool {
        if let toolAllowlist, !toolAllowlist.isEmpty {
            return toolAllowlist.contains { $0.hasSameUTF8(as: tool) }
        }
        if let toolDenylist, !toolDenylist.isEmpty {
            return !toolDenylist.contains { $0.hasSameUTF8(as: tool) }
        }
        return true
    }
}

/// Measurements of an action, sent with a commit or an event (specification: `StandardMetrics`).
public struct CyclesMetrics: Hashable, Sendable {
    /// The number of input tokens, 0 or more.
    public var tokensInput: Int64?
    /// The number of output tokens, 0 or more.
    public var tokensOutput: Int64?
    /// The duration of the action; sent in whole milliseconds, rounded down.
    public var latency: Duration?
    /// The version of the model or tool, at most 128 Unicode scalars.
    public var modelVersion: String?
    /// Further measurements by name.
    public var custom: [String: JSONValue]

    /// Creates metrics. Omitted parameters are not sent.
    public init(
        tokensInput: Int64? = nil,
        tokensOutput: Int64? = nil,
        latency: Duration? = nil,
        modelVersion: String? = nil,
        custom: [String: JSONValue] = [:]
    ) {
        self.tokensInput = tokensInput
        self.tokensOutput = tokensOutput
        self.latency = latency
        self.modelVersion = modelVersion
        self.custom = custom
    }
}
