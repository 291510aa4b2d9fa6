/// On whose budget something happens (specification: `Subject`).
///
/// The server derives the scopes to charge from the six standard fields, in the order tenant, workspace, app, workflow,
/// agent, toolset. At least one of them must be present once the client's defaults are merged in. Portable values use
/// letters, digits, `_`, `.` and `-` only; a server may refuse others.
public struct Subject: Hashable, Sendable {
    /// The tenant, at most 128 Unicode scalars. It must be the tenant of the key.
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
    /// Other dimensions for policy and reporting: at most 16, values of at most 256 Unicode scalars.
    public var dimensions: [String: String]?

    /// A subject. Fields left out come from the client's configuration, where it has them.
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

    /// Whether none of the six standard fields is given.
    package var isEmpty: Bool {
        tenant == nil && workspace == nil && app == nil && workflow == nil && agent == nil && toolset == nil
    }
}

/// What is about to happen (specification: `Action`).
public struct Action: Hashable, Sendable {
    /// The kind, `<category>.<operation>` such as `llm.completion` or `tool.search`; at most 64 Unicode scalars.
    public var kind: String
    /// The provider, model or tool, such as `openai:gpt-4o-mini`; at most 256 Unicode scalars.
    public var name: String
    /// Tags for policies, at most 10 of at most 64 Unicode scalars.
    public var tags: [String]

    /// An action.
    public init(kind: String, name: String, tags: [String] = []) {
        self.kind = kind
        self.name = name
        self.tags = tags
    }
}

/// Limits within which an action may go ahead (specification: `Caps`).
public struct Caps: Hashable, Sendable {
    /// The most tokens to use, 0 or more.
    public var maxTokens: Int64?
    /// The most steps to take from here, 0 or more.
    public var maxStepsRemaining: Int64?
    /// If not empty, the only tools that may be used.
    public var toolAllowlist: [String]?
    /// Tools that may not be used; without effect when there is an allowlist.
    public var toolDenylist: [String]?
    /// How long to wait before the next action.
    public var cooldown: Duration?

    /// Caps; whatever is left out is not limited.
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

    /// Whether a tool may be used. Names are case-sensitive.
    ///
    /// A non-empty allowlist decides alone; otherwise a non-empty denylist; otherwise everything is allowed
    /// (specification: `Caps`, PRECEDENCE RULES).
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

/// What an action used, sent with a commit or an event (specification: `StandardMetrics`).
public struct CyclesMetrics: Hashable, Sendable {
    /// Input tokens, 0 or more.
    public var tokensInput: Int64?
    /// Output tokens, 0 or more.
    public var tokensOutput: Int64?
    /// How long the action took; sent in whole milliseconds, rounded down.
    public var latency: Duration?
    /// The version of the model or tool that was used, at most 128 Unicode scalars.
    public var modelVersion: String?
    /// Whatever else is worth keeping.
    public var custom: [String: JSONValue]

    /// Metrics; whatever is left out is not sent.
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
