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
        "The tenant of subjects that name none. (CYCLES_TENANT)",
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
        let flags: [String: String?] = [
            "CYCLES_BASE_URL": arguments[url], "CYCLES_TENANT": arguments[tenant],
            "CYCLES_API_KEY": try usedKeyFile(arguments).map(key),
        ]
        var configuration = try fromEnvironment(arguments) { name in (flags[name] ?? nil) ?? Environment.text(name) }
        if let span = arguments[connectTimeout] { configuration.connectTimeout = span }
        if let span = arguments[readTimeout] { configuration.readTimeout = span }
        configuration.tls.caBundlePath = arguments[authorities] ?? Environment.text("CYCLES_CA_FILE")
        configuration.tls.clientCertificatePath =
            arguments[certificate] ?? Environment.text("CYCLES_CLIENT_CERTIFICATE")
        configuration.tls.clientKeyPath = arguments[certificateKey] ?? Environment.text("CYCLES_CLIENT_KEY")
        configuration.proxy = arguments[proxy] ?? Environment.text("CYCLES_PROXY")
        configuration.unixSocketPath = arguments[unixSocket] ?? Environment.text("CYCLES_UNIX_SOCKET")
        configuration.userAgentSuffix = "cycles-cli"
        if !usesJournal { configuration.journal = .disabled }
        return configuration
    }

    /// Creates a configuration from variables and the flag for the journal. Errors name the flag that was or could be
    /// used.
    private static func fromEnvironment(
        _ arguments: Arguments,
        _ lookup: @escaping (String) -> String?
    ) throws -> CyclesConfiguration {
        let place = arguments[journal]
        do throws(CyclesError) {
            return try .fromEnvironment { name in
                switch name {
                case "CYCLES_JOURNAL_DIR": place == "off" ? nil : place ?? lookup(name)
                case "CYCLES_JOURNAL_ENABLED": place.map { $0 == "off" ? "false" : "true" } ?? lookup(name)
                default: lookup(name)
                }
            }
        } catch {
            guard case .configuration(let issue) = error else { throw error }
            let flags: [String: (name: String, isUsed: Bool)] = [
                "CYCLES_BASE_URL": ("--url", arguments[url] != nil), "CYCLES_API_KEY": ("--api-key-file", false),
                "CYCLES_JOURNAL_DIR": ("--journal", place != nil),
            ]
            let flag = flags[issue.name]
            if let flag, flag.isUsed { throw ToolFailure("\(flag.name) \(issue.message)", status: .misuse) }
            let advice = flag.map { ", or use \($0.name)" } ?? ""
            throw ToolFailure("\(issue.name) \(issue.message)\(advice)", status: .misuse)
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
        let configuration = try fromEnvironment(arguments) { name in
            name.hasPrefix("CYCLES_JOURNAL_") ? Environment.text(name) : made[name]
        }
        return configuration.journal
    }

    /// Reads the key from the first line of a file.
    static func key(inFile path: String) throws -> String {
        let contents: [UInt8]
        do throws(SystemFailure) {
            contents = try path == "-" ? Files.readLine() : Files.read(path, limit: 64 * 1_024)
        } catch {
            throw ToolFailure("The API key cannot be read: \(error)", status: .misuse)
        }
        let key = Values.withoutByteOrderMark(contents).prefix {
            $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r")
        }
        guard !key.isEmpty else {
            throw ToolFailure("The API key cannot be read: the first line of \(path) is empty", status: .misuse)
        }
        return String(decoding: key, as: UTF8.self)
    }
}
