#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension CyclesConfiguration {
    /// Creates a configuration from environment variables.
    ///
    /// The names of all variables begin with the prefix; <doc:Configuration> lists them. `BASE_URL` is required, and so
    /// is `API_KEY` or `API_KEY_FILE`. A variable that is unset or blank leaves the default. The function reads the
    /// file of `API_KEY_FILE`; later changes of the file have no effect.
    /// - Parameters:
    ///   - prefix: The prefix of all names.
    ///   - requiresAPIKey: Whether a key is required; see ``requiresAPIKey``. Pass false in a program that gives keys
    ///     to the clients that it scopes.
    /// - Throws: ``CyclesError/configuration(_:)`` with the name of the variable that is missing or invalid.
    public static func fromEnvironment(
        prefix: String = "CYCLES_",
        requiresAPIKey: Bool = true
    ) throws(CyclesError) -> CyclesConfiguration {
        try fromEnvironment(prefix: prefix, requiresAPIKey: requiresAPIKey) { name in
            getenv(name).map { String(cString: $0) }
        }
    }

    /// Creates a configuration from variables of a source other than the process's environment.
    /// - Parameters:
    ///   - prefix: The prefix of all names.
    ///   - requiresAPIKey: Whether `API_KEY` is required; see ``requiresAPIKey``.
    ///   - lookup: Returns the value of a variable by its full name; nil if it is not set.
    /// - Throws: ``CyclesError/configuration(_:)`` with the name of the variable that is missing or invalid.
    public static func fromEnvironment(
        prefix: String = "CYCLES_",
        requiresAPIKey: Bool = true,
        lookup: @escaping (String) -> String?
    ) throws(CyclesError) -> CyclesConfiguration {
        let environment = Environment(prefix: prefix, lookup: lookup)
        let baseURL = try environment.required("BASE_URL", "the server's URL, such as https://cycles.example.com")
        _ = try BaseURL(baseURL, name: prefix + "BASE_URL")
        var configuration = CyclesConfiguration(
            baseURL: baseURL,
            apiKey: try environment.apiKey(isRequired: requiresAPIKey)
        )
        configuration.requiresAPIKey = requiresAPIKey
        configuration.tenant = environment.text("TENANT")
        configuration.workspace = environment.text("WORKSPACE")
        configuration.app = environment.text("APP")
        configuration.workflow = environment.text("WORKFLOW")
        configuration.agent = environment.text("AGENT")
        configuration.toolset = environment.text("TOOLSET")
        configuration.adminAPIKey = environment.text("ADMIN_API_KEY")
        configuration.tls.caBundlePath = environment.text("CA_FILE")
        configuration.tls.clientCertificatePath = environment.text("CLIENT_CERTIFICATE")
        configuration.tls.clientKeyPath = environment.text("CLIENT_KEY")
        configuration.proxy = environment.text("PROXY")
        configuration.unixSocketPath = environment.text("UNIX_SOCKET")
        try environment.read("CONNECT_TIMEOUT", into: &configuration.connectTimeout, Environment.positiveSpan)
        try environment.read("READ_TIMEOUT", into: &configuration.readTimeout, Environment.positiveSpan)
        try environment.read("RETRY_ENABLED", into: &configuration.retry.isEnabled, Environment.truth)
        try environment.read("RETRY_MAX_ATTEMPTS", into: &configuration.retry.maxRetries, Environment.count)
        try environment.read("RETRY_INITIAL_DELAY", into: &configuration.retry.initialDelay, Environment.positiveSpan)
        try environment.read("RETRY_MULTIPLIER", into: &configuration.retry.multiplier, Environment.multiplier)
        try environment.read("RETRY_MAX_DELAY", into: &configuration.retry.maxDelay, Environment.positiveSpan)
        if let directory = environment.text("JOURNAL_DIR") { configuration.journal = .directory(directory) }
        var isJournalEnabled = true
        try environment.read("JOURNAL_ENABLED", into: &isJournalEnabled, Environment.truth)
        if !isJournalEnabled { configuration.journal = .disabled }
        if let problem = configuration.journal.directoryProblem { throw environment.refuse("JOURNAL_DIR", problem) }
        return configuration
    }
}

/// Looks up variables by their names without the prefix.
private struct Environment {
    let prefix: String
    let lookup: (String) -> String?

    func text(_ name: String) -> String? { lookup(prefix + name).flatMap { $0.isBlank ? nil : $0 } }

    func required(_ name: String, _ meaning: String) throws(CyclesError) -> String {
        guard let value = text(name) else { throw refuse(name, "is not set; set it to \(meaning)") }
        return value
    }

    /// Returns the key, or the first line of the file with the key. The key itself takes precedence. Returns an empty
    /// text if neither is set and none is required.
    func apiKey(isRequired: Bool) throws(CyclesError) -> String {
        if let key = text("API_KEY") { return key }
        guard let path = text("API_KEY_FILE") else {
            guard isRequired else { return "" }
            throw refuse(
                "API_KEY",
                "is not set; set it to the key that the server knows this client by, or \(prefix)API_KEY_FILE to a file "
                    + "with the key"
            )
        }
        do throws(FileError) {
            return try KeyFile.key(at: path)
        } catch {
            throw refuse("API_KEY_FILE", "cannot be used: \(error)")
        }
    }

    func read<Value>(
        _ name: String,
        into value: inout Value,
        _ form: (parse: (String) -> Value?, meaning: String)
    ) throws(CyclesError) {
        guard let text = text(name) else { return }
        // The value may be quoted: the variables read here hold no secrets.
        guard let parsed = form.parse(text.trimmed.lowercased()) else {
            throw refuse(name, "is \"\(text)\", which is not \(form.meaning)")
        }
        value = parsed
    }

    func refuse(_ name: String, _ message: String) -> CyclesError {
        .configuration(ConfigurationIssue(name: prefix + name, message: message))
    }

    static var positiveSpan: (parse: (String) -> Duration?, meaning: String) {
        ({ Duration(configured: $0).flatMap { $0 > .zero ? $0 : nil } }, "a time such as 500, 500ms or 2s")
    }

    static var truth: (parse: (String) -> Bool?, meaning: String) {
        (
            { text in
                switch text {
                case "true", "1", "yes", "on": true
                case "false", "0", "no", "off": false
                default: nil
                }
            }, "true or false"
        )
    }

    static var count: (parse: (String) -> Int?, meaning: String) {
        ({ Int($0).flatMap { $0 >= 0 ? $0 : nil } }, "a whole number of zero or more")
    }

    static var multiplier: (parse: (String) -> Double?, meaning: String) {
        ({ Double($0).flatMap { $0.isFinite && $0 >= 1 ? $0 : nil } }, "a number of one or more")
    }
}

extension Duration {
    /// Parses a number of milliseconds, or a number with `ms`, `s`, `m` or `h`. Returns nil for any other text, and for
    /// more than ten thousand years.
    package init?(configured text: String) {
        let units: [(suffix: String, milliseconds: Double)] = [
            ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
        ]
        let unit = units.first { text.hasSuffix($0.suffix) } ?? ("", 1)
        let number = String(text.dropLast(unit.suffix.count)).trimmed
        guard number.utf8.allSatisfy({ $0 &- 0x30 < 10 || $0 == UInt8(ascii: ".") }), let value = Double(number),
            value * unit.milliseconds < 3.2e14
        else { return nil }
        self = .milliseconds(Int64(value * unit.milliseconds))
    }
}
