import Cycles

/// The options of all commands that use a server, and the configuration that they produce.
enum ConnectionOptions {
    static let url = Option("url", "URL", "The base URL of the server. (CYCLES_BASE_URL)", parse: Values.text)
    static let apiKeyFile = Option(
        "api-key-file",
        "FILE",
        "A file with the API key; - is standard input. (CYCLES_API_KEY_FILE; the key itself: CYCLES_API_KEY)",
        completion: .file,
        parse: Values.text
    )
    static let tenant = Option(
        "tenant",
        "TENANT",
        "The default tenant of subjects. (CYCLES_TENANT)",
        parse: Values.text
    )
    static let connectTimeout = Option(
        "connect-timeout",
        "TIME",
        "The time limit for connecting; 2s by default. (CYCLES_CONNECT_TIMEOUT)",
        parse: Values.positiveDuration
    )
    static let readTimeout = Option(
        "read-timeout",
        "TIME",
        "The time limit for an answer once connected; 5s by default. (CYCLES_READ_TIMEOUT)",
        parse: Values.positiveDuration
    )
    static let authorities = Option(
        "ca",
        "FILE",
        "Certificate authorities in PEM form to trust instead of the system's. (CYCLES_CA_FILE)",
        completion: .file,
        parse: Values.text
    )
    static let certificate = Option(
        "client-certificate",
        "FILE",
        "The client's certificate in PEM form. (CYCLES_CLIENT_CERTIFICATE)",
        completion: .file,
        parse: Values.text
    )
    static let certificateKey = Option(
        "client-key",
        "FILE",
        "The private key of the client's certificate. (CYCLES_CLIENT_KEY)",
        completion: .file,
        parse: Values.text
    )
    static let proxy = Option(
        "proxy",
        "URL",
        "The proxy to use; http_proxy and similar variables have no effect. (CYCLES_PROXY)",
        parse: Values.text
    )
    static let unixSocket = Option(
        "unix-socket",
        "PATH",
        "A Unix socket to connect to instead of the host. (CYCLES_UNIX_SOCKET)",
        completion: .file,
        parse: Values.text
    )
    static let journal = Option(
        "journal",
        "DIR",
        "The directory of the settlement journal, an absolute path; off for none. (CYCLES_JOURNAL_DIR, "
            + "CYCLES_JOURNAL_ENABLED)",
        completion: .directory,
        parse: Values.text
    )

    /// The section of commands that use a server.
    static let section: (title: String, parameters: [any Parameter]) = (
        "Connection",
        [
            url, apiKeyFile, tenant, connectTimeout, readTimeout, authorities, certificate, certificateKey, proxy,
            unixSocket,
        ]
    )

    /// Creates a configuration from flags, the environment and defaults, in this order of precedence.
    ///
    /// Single operations do not use the journal: `run` and `journal flush` settle its records.
    static func configuration(_ arguments: Arguments, usesJournal: Bool = false) throws -> CyclesConfiguration {
        var configuration = try fromEnvironment(flags(arguments), Environment.text)
        configuration.userAgentSuffix = "cycles-cli"
        if !usesJournal { configuration.journal = .disabled }
        return configuration
    }

    /// The flags that take precedence over variables, with their values.
    private static func flags(_ arguments: Arguments) -> [String: (name: String, value: String?)] {
        func time(_ option: Option<Duration>) -> String? { arguments[option].map { "\(Instants.milliseconds($0))" } }
        let place = arguments[journal]
        return [
            "CYCLES_BASE_URL": ("--url", arguments[url]),
            "CYCLES_API_KEY_FILE": ("--api-key-file", arguments[apiKeyFile]),
            "CYCLES_TENANT": ("--tenant", arguments[tenant]),
            "CYCLES_CONNECT_TIMEOUT": ("--connect-timeout", time(connectTimeout)),
            "CYCLES_READ_TIMEOUT": ("--read-timeout", time(readTimeout)),
            "CYCLES_CA_FILE": ("--ca", arguments[authorities]),
            "CYCLES_CLIENT_CERTIFICATE": ("--client-certificate", arguments[certificate]),
            "CYCLES_CLIENT_KEY": ("--client-key", arguments[certificateKey]),
            "CYCLES_PROXY": ("--proxy", arguments[proxy]),
            "CYCLES_UNIX_SOCKET": ("--unix-socket", arguments[unixSocket]),
            "CYCLES_JOURNAL_DIR": ("--journal", place == "off" ? nil : place),
            "CYCLES_JOURNAL_ENABLED": ("--journal", place.map { $0 == "off" ? "false" : "true" }),
        ]
    }

    /// Creates a configuration from flags and, for settings without a flag, from variables. Errors name the flag that
    /// was or could be used.
    private static func fromEnvironment(
        _ flags: [String: (name: String, value: String?)],
        _ lookup: @escaping (String) -> String?
    ) throws -> CyclesConfiguration {
        do throws(CyclesError) {
            return try .fromEnvironment { name in
                // A key file named by a flag takes precedence over the variable that contains a key.
                if name == "CYCLES_API_KEY", flags["CYCLES_API_KEY_FILE"]?.value != nil { return nil }
                return flags[name]?.value ?? lookup(name)
            }
        } catch {
            guard case .configuration(let issue) = error else { throw error }
            let flag = flags[issue.name == "CYCLES_API_KEY" ? "CYCLES_API_KEY_FILE" : issue.name]
            if let flag, flag.value != nil {
                throw ToolFailure("\(flag.name) \(issue.message)", status: .misuse, code: "CONFIGURATION")
            }
            let advice = flag.map { ", or use \($0.name)" } ?? ""
            throw ToolFailure("\(issue.name) \(issue.message)\(advice)", status: .misuse, code: "CONFIGURATION")
        }
    }

    /// The file with the API key; nil if the key comes from CYCLES_API_KEY. A flag takes precedence over variables.
    static func usedKeyFile(_ arguments: Arguments) -> String? {
        if let path = arguments[apiKeyFile] { return path }
        return Environment.text("CYCLES_API_KEY") == nil ? Environment.text("CYCLES_API_KEY_FILE") : nil
    }

    /// The location of the journal, for commands that need no server.
    static func journalPlace(_ arguments: Arguments) throws -> JournalConfiguration {
        // Placeholders for the required settings; only the journal's setting is used.
        let made = ["CYCLES_BASE_URL": "http://localhost", "CYCLES_API_KEY": "none"]
        let ofJournal: (String) -> Bool = { $0.hasPrefix("CYCLES_JOURNAL_") }
        let configuration = try fromEnvironment(flags(arguments).filter { ofJournal($0.key) }) { name in
            ofJournal(name) ? Environment.text(name) : made[name]
        }
        return configuration.journal
    }

    /// The variables of the environment and their meanings, for the help.
    static let variables = """
          CYCLES_BASE_URL             the base URL of the server; required
          CYCLES_API_KEY              the API key; required, unless a file contains it
          CYCLES_API_KEY_FILE         a file whose first line is the API key
          CYCLES_ADMIN_API_KEY        an operator's key, for looking up and releasing
                                      reservations
          CYCLES_TENANT               the default subject: each level applies to
          CYCLES_WORKSPACE            requests that do not set it
          CYCLES_APP
          CYCLES_WORKFLOW
          CYCLES_AGENT
          CYCLES_TOOLSET
          CYCLES_CONNECT_TIMEOUT      the time limit for connecting: 2s
          CYCLES_READ_TIMEOUT         the time limit for an answer once connected: 5s
          CYCLES_CA_FILE              certificate authorities in PEM form
          CYCLES_CLIENT_CERTIFICATE   the client's certificate in PEM form
          CYCLES_CLIENT_KEY           the private key of the client's certificate
          CYCLES_PROXY                the URL of a proxy
          CYCLES_UNIX_SOCKET          a Unix socket to connect to instead of the host
          CYCLES_RETRY_ENABLED        whether settlements have fast retries: true
          CYCLES_RETRY_MAX_ATTEMPTS   the number of fast retries: 5
          CYCLES_RETRY_INITIAL_DELAY  the delay before the first retry: 500ms
          CYCLES_RETRY_MULTIPLIER     the factor between consecutive delays: 2
          CYCLES_RETRY_MAX_DELAY      the maximum delay: 30s
          CYCLES_JOURNAL_DIR          the directory of the settlement journal
          CYCLES_JOURNAL_ENABLED      whether there is a journal: true
          TRACEPARENT                 the trace context sent with every request
        """
}
