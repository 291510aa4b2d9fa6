import Cycles
import CyclesTesting
import Testing

extension ToolSuites {
    /// Which way the tool goes, whatever the environment's proxy variables say.
    @Suite struct ToolProxyTests {
        private func answering() throws -> MisbehavingServer {
            let body = #"{"balances":[],"has_more":false}"#
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
            let server = MisbehavingServer(.answer(Array((head + "Connection: close\r\n\r\n" + body).utf8)))
            try server.start()
            return server
        }

        private func environment(_ more: [String: String]) -> [String: String] {
            ["CYCLES_API_KEY": "key-of-the-test", "CYCLES_TENANT": "acme"].merging(more) { $1 }
        }

        @Test(arguments: ["NO_PROXY", "no_proxy"], ["*", "127.0.0.1", "127.0.0.1,localhost"])
        func noVariableLeadsAroundTheProxy(name: String, value: String) async throws {
            let proxy = try answering()
            let server = try answering()
            defer {
                proxy.stop()
                server.stop()
            }
            let outcome = try await cycles(
                ["balances", "--url", server.baseURL, "--proxy", proxy.baseURL],
                environment([name: value])
            )
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(server.acceptedConnections == 0)
            let received = String(decoding: proxy.receivedBytes, as: UTF8.self)
            #expect(received.hasPrefix("GET \(server.baseURL)/v1/balances?"))
        }

        @Test(arguments: ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
        func noVariableLeadsToAProxy(name: String) async throws {
            let proxy = try answering()
            let server = try answering()
            defer {
                proxy.stop()
                server.stop()
            }
            let outcome = try await cycles(["balances", "--url", server.baseURL], environment([name: proxy.baseURL]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(proxy.acceptedConnections == 0)
            #expect(String(decoding: server.receivedBytes, as: UTF8.self).hasPrefix("GET /v1/balances?"))
        }
    }
}
