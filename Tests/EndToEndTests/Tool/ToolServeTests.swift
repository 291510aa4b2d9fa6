import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles serve`, as developers and tests use it.
extension ToolSuites {
    @Suite struct ToolServeTests {
        private let work = ["--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]

        @Test func whatItPrintsIsEnoughToUseIt() async throws {
            let server = try RunningTool(["serve", "--port", "0"])
            let environment = await server.servedEnvironment()
            #expect(
                environment["CYCLES_TENANT"] == "acme" && environment["CYCLES_API_KEY"]?.hasPrefix("cyc_dev_") == true
            )
            #expect(server.output.contains("for production, run a Cycles server"))
            #expect(try await cycles(["reserve"] + work, environment).status == 0)
            let balances = try await cycles(["balances"], environment).output.split(separator: "\n")
            #expect(
                balances.last?.split(separator: " ") == ["tenant:acme", "1000000", "0", "1000", "999000", "TOKENS"]
            )
            server.signal(SIGTERM)
            let outcome = await server.outcome()
            #expect(outcome.status == 0 && !outcome.isSignal, "\(outcome)")
        }

        @Test func theStateOutlivesTheServer() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("state.json").path
            let arguments = [
                "serve", "--port", "0", "--state", file, "--api-key", "acme=given-key", "--budget",
                "tenant:acme=5000:TOKENS",
            ]
            let first = try RunningTool(arguments)
            var environment = await first.servedEnvironment()
            environment["CYCLES_API_KEY"] = "given-key"
            let id = try await cycles(["reserve", "-q"] + work, environment).output.trimmingCharacters(in: .newlines)
            let second = try await cycles(arguments)
            #expect(second.status == 1 && second.errors.contains("another server"), "\(second)")
            first.signal(SIGINT)
            let ended = await first.outcome()
            // As the loop of a shell around it expects.
            #expect(ended.signal == SIGINT, "\(ended)")
            #expect(!ended.output.contains("given-key"))
            let stored = try String(contentsOfFile: file, encoding: .utf8)
            #expect(!stored.contains("given-key"))
            #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)

            // A killed server loses half a second of changes at most.
            let killed = try RunningTool(arguments)
            environment["CYCLES_BASE_URL"] = await killed.servedEnvironment()["CYCLES_BASE_URL"]
            #expect(try await cycles(["commit", id, "--actual", "400:TOKENS"], environment).status == 0)
            await until { (try? String(contentsOfFile: file, encoding: .utf8))?.contains("COMMITTED") == true }
            killed.signal(SIGKILL)
            _ = await killed.outcome()

            // A link to the state is the state: neither replaced nor used twice.
            let link = folder.appendingPathComponent("link").path
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
            let last = try RunningTool(arguments.map { $0 == file ? link : $0 } + ["--suspend", "acme"])
            environment["CYCLES_BASE_URL"] = await last.servedEnvironment()["CYCLES_BASE_URL"]
            #expect(try await cycles(["balances"], environment).status == 78)
            #expect(try await cycles(arguments, environment).errors.contains("another server"))
            last.signal(SIGTERM)
            #expect(await last.outcome().status == 0)
            let reopened = try RunningTool(arguments + ["--reopen", "acme"])
            environment["CYCLES_BASE_URL"] = await reopened.servedEnvironment()["CYCLES_BASE_URL"]
            #expect(try await cycles(["balances"], environment).output.contains(" 400 "))
            #expect(try await cycles(["reservation", id], environment).output.contains("COMMITTED"))
        }

        @Test func whatIsNoStateIsNotOverwritten() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("state.json").path
            try "precious".write(toFile: file, atomically: true, encoding: .utf8)
            let outcome = try await cycles(["serve", "--port", "0", "--state", file])
            #expect(outcome.status == 1 && outcome.errors.contains(file), "\(outcome)")
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
        }

        @Test func aStartThatFailsLeavesTheStateAlone() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("state.json").path
            let first = try RunningTool(["serve", "--port", "0"])
            let port = try #require(await first.servedEnvironment()["CYCLES_BASE_URL"]?.split(separator: ":").last)
            let second = try await cycles(["serve", "--port", String(port), "--state", file])
            #expect(second.status == 1 && !FileManager.default.fileExists(atPath: file), "\(second)")

            let onAFolder = try await cycles(["serve", "--port", "0", "--state", folder.path])
            #expect(onAFolder.status == 2 && onAFolder.errors.contains("is a directory"), "\(onAFolder)")
            #expect(!FileManager.default.fileExists(atPath: folder.path + ".lock"))
        }

        @Test(arguments: [
            (["--api-key", "acme="], "the key of tenant acme is empty"),
            (["--budget", "agent:bot=5:TOKENS"], "give --api-key TENANT=KEY"),
            (["--budget", "tenant:acme=5:TOKENS", "--budget", "tenant:acme=6:TOKENS"], "has two budgets in TOKENS"),
            (["--budget", "tenant:acme=5:TOKENS", "--budget", "tenant:Acme=6:TOKENS"], "has two budgets in TOKENS"),
            (["--behavior", "production"], "deployed"),
            (["--suspend", "amce"], "--suspend amce: there is no such tenant; they are acme"),
        ])
        func whatCannotBeMeantIsRefused(arguments: [String], message: String) async throws {
            let outcome = try await cycles(["serve", "--port", "0"] + arguments)
            #expect(outcome.status == 2 && outcome.errors.contains(message), "\(outcome)")
        }

        @Test(arguments: [([], "UNAUTHORIZED"), (["--behavior", "specification"], "TENANT_CLOSED")])
        func failuresAndTenantsAreAsTold(behavior: [String], ofClosedTenant: String) async throws {
            let server = try RunningTool(
                [
                    "serve", "--port", "0", "--budget", "tenant:acme=5000:TOKENS", "--budget", "tenant:gone=5:TOKENS",
                    "--budget", "tenant:late=5:TOKENS", "--close", "gone", "--suspend", "late", "--fail",
                    "LIMIT_EXCEEDED:2s",
                    "--api-key", "acme=a", "--api-key", "gone=g", "--api-key", "late=l", "--log",
                ] + behavior
            )
            let environment = await server.servedEnvironment()
            func status(_ key: String) async throws -> RunningTool.Outcome {
                // The subject has no tenant but the one of the key.
                let tenants = ["a": "acme", "g": "gone", "l": "late"]
                let variables = ["CYCLES_API_KEY": key, "CYCLES_TENANT": tenants[key] ?? ""]
                return try await cycles(["reserve"] + work, environment.merging(variables) { $1 })
            }
            let throttled = try await status("a")
            #expect(
                throttled.status == 75 && throttled.errors.contains("LIMIT_EXCEEDED")
                    && throttled.errors.contains("2 s")
            )
            #expect(try await status("a").status == 0)
            #expect(try await status("g").errors.contains(ofClosedTenant))
            #expect(try await status("l").status == 78)
            #expect(server.errors.contains("POST /v1/reservations: 429 LIMIT_EXCEEDED (req_"), "\(server.errors)")
            let line = server.errors.split(separator: "\n").first { $0.contains("429") } ?? ""
            let trace = line.split(separator: " ").last?.dropLast() ?? ""
            #expect(line.contains(", trace ") && trace.count == 32, "\(line)")
            // The environment of each tenant is complete.
            let lines = server.output.split(separator: "\n").map(String.init)
            for tenant in ["acme", "gone", "late"] {
                let start = try #require(lines.firstIndex(of: "# as tenant \(tenant):"), "\(lines)")
                #expect(lines[start + 1] == "export CYCLES_BASE_URL=\(environment["CYCLES_BASE_URL"] ?? "")")
                #expect(lines[start + 2].hasPrefix("export CYCLES_TENANT=\(tenant) "))
            }
            server.signal(SIGHUP)
            #expect(await server.outcome().status == 0)
        }

        /// Scopes are kept in lower case, and the tenant is still called what its budget calls it.
        @Test func aTenantInCapitalsIsServed() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let arguments = [
                "serve", "--port", "0", "--state", folder.appendingPathComponent("state.json").path, "--budget",
                "tenant:ACME/agent:Bot=5000:TOKENS", "--api-key", "ACME=key",
            ]
            for _ in 0..<2 {
                let server = try RunningTool(arguments)
                var environment = await server.servedEnvironment()
                #expect(environment["CYCLES_TENANT"] == "ACME")
                environment.merge(["CYCLES_API_KEY": "key", "CYCLES_AGENT": "Bot"]) { $1 }
                #expect(server.output.split(separator: "\n").filter { $0.contains("CYCLES_TENANT") }.count == 1)
                #expect(try await cycles(["reserve"] + work, environment).status == 0)
                let balances = try await cycles(["balances"], environment).output
                #expect(balances.contains("tenant:acme/agent:bot"), "\(balances)")
                server.signal(SIGTERM)
                _ = await server.outcome()
            }
        }

        @Test func aPortThatIsTakenIsExplained() async throws {
            let first = try RunningTool(["serve", "--port", "0"])
            let port = try #require(await first.servedEnvironment()["CYCLES_BASE_URL"]?.split(separator: ":").last)
            let second = try await cycles(["serve", "--port", String(port)])
            #expect(
                second.status == 1 && second.errors.contains("in use") && second.errors.contains("--port"),
                "\(second)"
            )
            #expect(try await cycles(["serve", "--host", "localhost"]).errors.contains("in numbers"))
        }

        /// Sixty-four clients at once, while others send what is no HTTP.
        @Test func theLedgerAddsUpUnderManyClients() async throws {
            let server = try RunningTool(["serve", "--port", "0", "--api-key", "acme=key-of-the-test"])
            let environment = await server.servedEnvironment()
            let url = try #require(environment["CYCLES_BASE_URL"])
            let port = try #require(UInt16(url.split(separator: ":").last ?? ""))
            let clients = try (0..<64).map { _ in
                var configuration = CyclesConfiguration(baseURL: url, apiKey: "key-of-the-test")
                configuration.journal = .disabled
                configuration.readTimeout = .seconds(60)
                return try CyclesClient(configuration: configuration)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in clients {
                    group.addTask {
                        for number in 1...10 {
                            let options = CyclesOptions(
                                estimate: .tokens(100),
                                action: Action(kind: "llm.completion", name: "m"),
                                subject: Subject(tenant: "acme")
                            )
                            try await client.withCycles(options) { _ in ((), .tokens(Int64(number))) }
                        }
                        await client.shutdown()
                    }
                }
                for nonsense in Nonsense.all {
                    group.addTask { nonsense.send(to: port) }
                }
                try await group.waitForAll()
            }
            let rows = try await cycles(["balances"], environment.merging(["CYCLES_API_KEY": "key-of-the-test"]) { $1 })
                .output
                .split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(rows.last == ["tenant:acme", "1000000", "3520", "0", "996480", "TOKENS"], "\(rows)")
            #expect(server.isRunning)
        }
    }
}

/// Requests that are not valid HTTP or not valid for the protocol.
private struct Nonsense: Sendable {
    var pieces: [String]

    static let all: [Nonsense] = [
        Nonsense(pieces: ["GARBAGE\r\n\r\n"]),
        Nonsense(pieces: ["GET ", "/v1/balances HT", "TP/1.1\r\nHost: a\r\nX-Cycles-API", "-Key: none\r\n\r", "\n"]),
        Nonsense(pieces: ["GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 70_000) + "\r\n\r\n"]),
        Nonsense(pieces: ["GET /" + String(repeating: "y", count: 20_000) + " HTTP/1.1\r\n\r\n"]),
        Nonsense(pieces: ["POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"]),
        Nonsense(pieces: ["POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"]
        ),
        Nonsense(pieces: ["POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"]),
        Nonsense(pieces: ["POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nshort"]),
        Nonsense(pieces: ["\u{0}\u{1}\u{2}", "\r\n\r\n"]),
        Nonsense(pieces: []),
    ]

    /// Sends it piece by piece, reads a little of what comes, and goes.
    func send(to port: UInt16) {
        guard let socket = try? ConnectionSocket.connect(port: port) else { return }
        defer { socket.close() }
        for piece in pieces {
            guard socket.send(Array(piece.utf8), until: .now + .seconds(5)) else { return }
            pause(.milliseconds(5))
        }
        withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 1) {
            _ = socket.receive(into: $0, until: .now + .milliseconds(200))
        }
    }
}
