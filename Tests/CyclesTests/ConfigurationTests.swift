import Testing

@testable import Cycles

@Suite struct ConfigurationTests {
    private func issue(_ body: () throws -> Void) -> ConfigurationIssue? {
        do {
            try body()
            return nil
        } catch CyclesError.configuration(let issue) {
            return issue
        } catch {
            return nil
        }
    }

    @Test(arguments: [
        ("http://localhost", "http://localhost"), ("http://localhost/", "http://localhost"),
        ("https://api.example.com/prefix/", "https://api.example.com/prefix"),
        ("HTTPS://api.example.com:8443/a/b//", "https://api.example.com:8443/a/b"),
        ("http://[::1]:80", "http://[::1]:80"), ("http://127.0.0.1:65535", "http://127.0.0.1:65535"),
    ])
    func baseURLsAreAccepted(text: String, prefix: String) throws {
        let base = try BaseURL(text)
        #expect(base.prefix == prefix)
        #expect(base.raw == text)
    }

    @Test(arguments: [
        "", " ", "localhost", "ftp://x", "http://", "https:///a", "http://user@host", "http://user:pw@host",
        "http://host?x=1", "http://host#f", "http://host/a b", "http://ho st", "http://host\n", "http://h\u{e9}",
        "http://host:", "http://host:x", "http://host:65536", "http://host:1:2", "http://[::1", "http://[::1]x",
        "http://[abc]", "http://a]b", "http://host/../x", "http://host\\x",
    ])
    func baseURLsAreRefused(text: String) {
        #expect(issue { _ = try BaseURL(text) }?.name == "baseURL", "\(text)")
    }

    @Test func environmentIsReadWhole() throws {
        let values = [
            "C_BASE_URL": "http://localhost:7878", "C_API_KEY": "key-1", "C_TENANT": "acme", "C_WORKSPACE": "w",
            "C_APP": "a", "C_WORKFLOW": "f", "C_AGENT": "g", "C_TOOLSET": "t", "C_CONNECT_TIMEOUT": "250",
            "C_READ_TIMEOUT": "2s", "C_RETRY_ENABLED": "No", "C_RETRY_MAX_ATTEMPTS": "3",
            "C_RETRY_INITIAL_DELAY": "100ms", "C_RETRY_MULTIPLIER": "1.5", "C_RETRY_MAX_DELAY": "1.5s",
            "C_ADMIN_API_KEY": "admin-1", "C_JOURNAL_DIR": "/var/lib/journal", "C_JOURNAL_ENABLED": " true ",
            "C_CA_FILE": "/ca.pem", "C_CLIENT_CERTIFICATE": "/client.pem", "C_CLIENT_KEY": "/client.key",
            "C_PROXY": "http://proxy:3128", "C_UNIX_SOCKET": "/run/cycles.sock",
        ]
        let configuration = try CyclesConfiguration.fromEnvironment(prefix: "C_") { values[$0] }
        #expect(configuration.baseURL == "http://localhost:7878")
        #expect(configuration.apiKey == "key-1")
        #expect(configuration.tenant == "acme" && configuration.workspace == "w" && configuration.app == "a")
        #expect(configuration.workflow == "f" && configuration.agent == "g" && configuration.toolset == "t")
        #expect(configuration.connectTimeout == .milliseconds(250))
        #expect(configuration.readTimeout == .seconds(2))
        #expect(!configuration.retry.isEnabled)
        #expect(configuration.retry.maxRetries == 3)
        #expect(configuration.retry.initialDelay == .milliseconds(100))
        #expect(configuration.retry.multiplier == 1.5)
        #expect(configuration.retry.maxDelay == .milliseconds(1_500))
        #expect(configuration.adminAPIKey == "admin-1")
        #expect(configuration.journal == .directory("/var/lib/journal"))
        #expect(configuration.tls.caBundlePath == "/ca.pem" && configuration.tls.pinnedPublicKey == nil)
        #expect(configuration.tls.clientCertificatePath == "/client.pem")
        #expect(configuration.tls.clientKeyPath == "/client.key")
        #expect(configuration.proxy == "http://proxy:3128" && configuration.unixSocketPath == "/run/cycles.sock")
    }

    @Test func blankVariablesLeaveDefaults() throws {
        let values = ["CYCLES_BASE_URL": "http://x", "CYCLES_API_KEY": "key-1", "CYCLES_READ_TIMEOUT": " "]
        let configuration = try CyclesConfiguration.fromEnvironment(prefix: "CYCLES_") { values[$0] }
        #expect(configuration.readTimeout == .seconds(5))
        #expect(configuration.connectTimeout == .seconds(2))
        #expect(configuration.tenant == nil)
        #expect(configuration.journal == .automatic)
        #expect(configuration.retry == RetryPolicy())
    }

    @Test(arguments: [
        ("BASE_URL", ""), ("BASE_URL", "nonsense"), ("API_KEY", " "), ("CONNECT_TIMEOUT", "fast"),
        ("CONNECT_TIMEOUT", "0"), ("CONNECT_TIMEOUT", "-5"), ("READ_TIMEOUT", "5 parsecs"), ("READ_TIMEOUT", "1e3"),
        ("READ_TIMEOUT", "99999999999999999999h"), ("RETRY_ENABLED", "maybe"), ("RETRY_MAX_ATTEMPTS", "-1"),
        ("RETRY_MAX_ATTEMPTS", "2.5"), ("RETRY_MULTIPLIER", "0.5"), ("RETRY_MULTIPLIER", "nan"),
        ("RETRY_INITIAL_DELAY", "s"), ("RETRY_MAX_DELAY", "."), ("JOURNAL_ENABLED", "2"),
    ])
    func unreadableVariablesAreNamed(name: String, value: String) {
        var values = ["CYCLES_BASE_URL": "http://x", "CYCLES_API_KEY": "key-1"]
        values["CYCLES_\(name)"] = value
        let found = issue { _ = try CyclesConfiguration.fromEnvironment(prefix: "CYCLES_") { values[$0] } }
        #expect(found?.name == "CYCLES_\(name)")
        #expect(found?.message.isEmpty == false)
    }

    @Test(arguments: ["journal", "./a/../b", "~", "~/journal", "~other/journal", "", " ", "/a\0b"])
    func aJournalDirectoryBeginsAtTheRoot(path: String) throws {
        var configuration = CyclesConfiguration(baseURL: "http://localhost", apiKey: "k")
        configuration.journal = .directory(path)
        do {
            _ = try CyclesClient(configuration: configuration)
            Issue.record("\(path) is accepted")
        } catch CyclesError.configuration(let issue) {
            #expect(issue.name == "journal" && issue.message.contains("write "), "\(issue)")
        }
        #expect(SettlementJournal(configuration.journal).problem != nil)
        #expect(SettlementJournal(configuration.journal).directory == nil)
    }

    @Test func aRelativeJournalInTheEnvironmentIsRefusedUnlessThereIsNone() throws {
        var values = ["CYCLES_BASE_URL": "http://localhost", "CYCLES_API_KEY": "k", "CYCLES_JOURNAL_DIR": "a/./b"]
        do {
            _ = try CyclesConfiguration.fromEnvironment { values[$0] }
            Issue.record("it is accepted")
        } catch CyclesError.configuration(let issue) {
            #expect(issue.name == "CYCLES_JOURNAL_DIR" && issue.message.hasSuffix("/a/b"), "\(issue)")
        }
        values["CYCLES_JOURNAL_ENABLED"] = "no"
        #expect(try CyclesConfiguration.fromEnvironment { values[$0] }.journal == .disabled)
    }

    @Test func journalCanBeTurnedOff() throws {
        let values = ["CYCLES_BASE_URL": "http://x", "CYCLES_API_KEY": "key-1", "CYCLES_JOURNAL_ENABLED": "off"]
        #expect(try CyclesConfiguration.fromEnvironment(prefix: "CYCLES_") { values[$0] }.journal == .disabled)
    }

    @Test func processEnvironmentIsLookedAt() {
        #expect(
            issue { _ = try CyclesConfiguration.fromEnvironment(prefix: "NO_SUCH_PREFIX_") }?.name
                == "NO_SUCH_PREFIX_BASE_URL"
        )
    }

    @Test func settingsAreCheckedWhenAClientIsMade() {
        func refused(_ change: (inout CyclesConfiguration) -> Void) -> String? {
            var configuration = CyclesConfiguration(baseURL: "https://localhost", apiKey: "key-1")
            change(&configuration)
            return issue { _ = try CyclesClient(configuration: configuration) }?.name
        }
        #expect(refused { _ in } == nil)
        #expect(refused { $0.baseURL = "x" } == "baseURL")
        #expect(refused { $0.apiKey = " " } == "apiKey")
        #expect(refused { $0.apiKey = "a\r\nX-Evil: 1" } == "apiKey")
        #expect(refused { $0.apiKey = "a\0b" } == "apiKey")
        #expect(refused { $0.adminAPIKey = "\n" } == "adminAPIKey")
        #expect(refused { $0.tenant = String(repeating: "x", count: 129) } == "tenant")
        #expect(refused { $0.connectTimeout = .zero } == "connectTimeout")
        #expect(refused { $0.readTimeout = .seconds(100_000) } == "readTimeout")
        #expect(refused { $0.maxConnections = 0 } == "maxConnections")
        #expect(refused { $0.maxResponseBytes = 0 } == "maxResponseBytes")
        #expect(refused { $0.retry.maxRetries = -1 } == "retry.maxRetries")
        #expect(refused { $0.retry.initialDelay = .zero } == "retry.initialDelay")
        #expect(refused { $0.retry.maxDelay = .zero } == "retry.maxDelay")
        #expect(refused { $0.retry.multiplier = .nan } == "retry.multiplier")
        #expect(refused { $0.retry.jitter = 2 } == "retry.jitter")
        #expect(refused { $0.retry.inlineBudget = .seconds(-1) } == "retry.inlineBudget")
        #expect(refused { $0.retry.flushTimeout = .seconds(-1) } == "retry.flushTimeout")
        #expect(refused { $0.tls.clientKeyPath = "/k" } == "tls.clientKeyPath")
        #expect(refused { $0.tls.caBundlePath = "" } == "tls.caBundlePath")
        #expect(refused { $0.unixSocketPath = String(repeating: "x", count: 104) } == "unixSocketPath")
        #expect(refused { $0.userAgentSuffix = "x\ny" } == "userAgentSuffix")
        #expect(
            refused {
                $0.baseURL = "http://localhost"
                $0.tls.caBundlePath = "/ca"
            } == "tls"
        )
    }

    @Test func keysAndPasswordsDoNotShow() throws {
        var configuration = CyclesConfiguration(baseURL: "https://localhost", apiKey: "api-key-hush")
        configuration.adminAPIKey = "admin-key-hush"
        configuration.proxy = "http://user:proxy-hush@proxy:3128"
        let client = try CyclesClient(configuration: configuration)
        let assembly = try RequestAssembly(configuration)
        let request = try assembly.request(for: .getReservation("r"), options: CallOptions())
        let operatorless = try assembly.request(
            for: .getBalances(BalanceQuery(tenant: "t"), RequestDefaults(configuration)),
            options: CallOptions()
        )
        var shown = ""
        for value in [configuration, client, assembly, request, operatorless, request.headers] as [Any] {
            dump(value, to: &shown)
            shown += "\(value) \(String(reflecting: value))"
        }
        #expect(!shown.contains("hush"), "\(shown)")
        #expect(shown.contains("@proxy:3128"))
        #expect(request.headers["X-Admin-API-Key"] == "admin-key-hush")
        #expect(operatorless.headers["x-cycles-api-key"] == "api-key-hush")
    }

    @Test func proxyWithoutCredentialsIsShown() {
        var configuration = CyclesConfiguration(baseURL: "https://localhost", apiKey: "key-1")
        configuration.proxy = "proxy:3128"
        #expect("\(configuration)".contains("proxy: Optional(\"proxy:3128\")"))
        configuration.proxy = "user:pass@proxy"
        #expect(!"\(configuration)".contains("pass"))
    }
}
