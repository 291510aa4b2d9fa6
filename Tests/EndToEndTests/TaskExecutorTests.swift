import Cycles
import CyclesTesting
import Testing

@Suite struct TaskExecutorTests {
    private let transport = CurlTransport(configuration: TaskExecutorTests.configuration)

    private static let configuration = CyclesConfiguration(baseURL: "http://127.0.0.1", apiKey: "key-of-the-test")

    private func started(_ behavior: MisbehavingServer.Behavior) throws -> MisbehavingServer {
        let server = MisbehavingServer(behavior)
        try server.start()
        return server
    }

    private var answer: MisbehavingServer.Behavior {
        .answer(Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8))
    }

    @Test func aTaskContinuesOnTheThreadOfTheTransport() async throws {
        let server = try started(answer)
        defer { server.stop() }
        let request = HTTPRequest(method: .get, url: server.baseURL)
        let threads = try await Task(executorPreference: transport.taskExecutor) { [transport] in
            let before = SystemThread.current
            _ = try await transport.send(request)
            return (before, SystemThread.current)
        }.value
        #expect(threads.0 == threads.1)
        await transport.shutdown()
    }

    @Test func tasksThatRunOneAnotherGetThrough() async throws {
        let server = try started(answer)
        defer { server.stop() }
        let request = HTTPRequest(method: .get, url: server.baseURL)
        let count = try await withThrowingTaskGroup(of: Int.self) { [transport] group in
            for _ in 0..<32 {
                group.addTask(executorPreference: transport.taskExecutor) {
                    try await transport.send(request).status
                }
            }
            return try await group.reduce(0) { $1 == 200 ? $0 + 1 : $0 }
        }
        #expect(count == 32)
        await transport.shutdown()
    }

    @Test func aTaskThatNeverRestsHoldsUpNoTransfer() async throws {
        let server = try started(answer)
        defer { server.stop() }
        let restless = Task(executorPreference: transport.taskExecutor) {
            while !Task.isCancelled { await Task.yield() }
        }
        let response = try await transport.send(HTTPRequest(method: .get, url: server.baseURL))
        #expect(response.status == 200)
        restless.cancel()
        await restless.value
        await transport.shutdown()
    }

    @Test func aTaskRunsAfterTheEndOfTheTransport() async {
        let executor = transport.taskExecutor
        let task = Task(executorPreference: executor) { [transport] in
            await transport.shutdown()
            return 1
        }
        #expect(await task.value == 1)
        #expect(await Task(executorPreference: executor) { 2 }.value == 2)
    }

    @Test func aTaskRunsWhereThereIsNoThreadForTheTransport() async {
        let transport = CurlTransport(configuration: TaskExecutorTests.configuration, threads: .none)
        #expect(await Task(executorPreference: transport.taskExecutor) { 1 }.value == 1)
    }

    @Test func aBlockingRequestIsRefusedThere() async throws {
        let server = try started(answer)
        defer { server.stop() }
        let request = HTTPRequest(method: .get, url: server.baseURL)
        let error = await Task(executorPreference: transport.taskExecutor) { [transport] in
            func block() throws(HTTPTransportError) -> HTTPResponse { try transport.send(request) }
            do throws(HTTPTransportError) {
                _ = try block()
                return nil as HTTPTransportError?
            } catch {
                return error
            }
        }.value
        #expect(error?.wasRequestSent == false)
        #expect(error?.message.hasPart("a blocking request would hold up every transfer") == true)
        #expect(try await transport.send(request).status == 200)
        await transport.shutdown()
    }

    @Test func cancellingATaskAbortsItsTransfer() async throws {
        let server = try started(.silent)
        defer { server.stop() }
        let request = HTTPRequest(method: .get, url: server.baseURL, timeout: .seconds(600))
        let task = Task(executorPreference: transport.taskExecutor) { [transport] in
            do throws(HTTPTransportError) {
                _ = try await transport.send(request)
                return nil as HTTPTransportError.Kind?
            } catch {
                return error.kind
            }
        }
        await until { !server.receivedBytes.isEmpty }
        task.cancel()
        #expect(await task.value == .cancelled)
        await transport.shutdown()
    }
}
