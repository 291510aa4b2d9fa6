// Metered streams where servers and agents use them: as the body of a response that is typed as Hummingbird's is, in task
// groups, and in actors.

import Cycles
import CyclesTesting

/// The parts of a server that decide what compiles.
struct ByteBuffer: Sendable {
    var bytes: [UInt8]
    init(string: String) { bytes = Array(string.utf8) }
}

protocol ResponseBodyWriter {
    mutating func write(_ buffer: ByteBuffer) async throws
    consuming func finish(_ trailers: [String: String]?) async throws
}

struct ResponseBody: Sendable {
    let write: @Sendable (any ResponseBodyWriter) async throws -> Void

    init<BufferSequence: AsyncSequence & Sendable>(asyncSequence: BufferSequence)
    where BufferSequence.Element == ByteBuffer {
        write = { writer in
            var writer = writer
            for try await buffer in asyncSequence { try await writer.write(buffer) }
            try await writer.finish(nil)
        }
    }

    init() { write = { _ in } }
}

struct Response: Sendable {
    var status: Int
    var body = ResponseBody()
}

struct Disconnected: Error {}

/// Collects a body, or disconnects after some of it.
struct Connection: ResponseBodyWriter {
    final class Log: @unchecked Sendable { var text = "" }

    var left: Int
    let log: Log

    mutating func write(_ buffer: ByteBuffer) async throws {
        if left == 0 { throw Disconnected() }
        left -= 1
        log.text += String(decoding: buffer.bytes, as: UTF8.self)
    }

    consuming func finish(_ trailers: [String: String]?) async throws {}
}

/// A model's answer, whose usage is in the last chunk.
struct Chunk: Sendable {
    struct Usage: Sendable { var total: Int64 }

    var text: String
    var usage: Usage?
}

struct Model: Sendable {
    func stream() -> AsyncThrowingStream<Chunk, any Error> {
        AsyncThrowingStream { continuation in
            for word in ["one", " two", " three"] { continuation.yield(Chunk(text: word)) }
            continuation.yield(Chunk(text: "", usage: Chunk.Usage(total: 25)))
            continuation.finish()
        }
    }
}

struct Handler: Sendable {
    let client: CyclesClient
    let model = Model()

    /// A denial is a status of its own: it is known before the head of the response is sent.
    func handle(_ estimate: Amount) async throws -> Response {
        do {
            let reservation = try await client.reserve(
                ReservationCreateRequest(action: Action(kind: "llm.completion", name: "model"), estimate: estimate)
            )
            reservation.setSpend(.tokens(20))
            let chunks = reservation.metering(model.stream()) {
                $0.usage.map { .total(.tokens($0.total)) } ?? .added(.tokens(1))
            }
            return Response(status: 200, body: ResponseBody(asyncSequence: chunks.map { ByteBuffer(string: $0.text) }))
        } catch CyclesError.denied {
            return Response(status: 402)
        } catch {
            throw error
        }
    }
}

/// An actor that iterates in its own isolation.
actor Reader {
    private var words: [String] = []

    func read(_ chunks: MeteredSequence<AsyncThrowingStream<Chunk, any Error>>) async throws -> Int {
        for try await chunk in chunks { words.append(chunk.text) }
        return words.count
    }
}

@main
struct Streaming {
    static func main() async throws {
        let authority = LocalAuthority()
        authority.addAPIKey("key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(10_000))
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration, transport: authority)
        let handler = Handler(client: client)

        for (estimate, left) in [(Amount.tokens(1_000), 10), (.tokens(1_000), 2), (.tokens(1_000_000), 10)] {
            let response = try await handler.handle(estimate)
            let connection = Connection(left: left, log: Connection.Log())
            do { try await response.body.write(connection) } catch is Disconnected { print("disconnected") }
            await client.flush()
            print("\(response.status) \(connection.log.text); \(spent(authority))")
        }

        let request = ReservationCreateRequest(action: Action(kind: "k", name: "n"), estimate: .tokens(100))
        let words = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                let chunks = try await client.reserve(request).metering(Model().stream()) { _ in .added(.tokens(1)) }
                group.addTask { try await chunks.reduce(0) { count, _ in count + 1 } }
            }
            var count = 0
            for try await part in group { count += part }
            return count
        }
        print("\(words) chunks in a task group; \(spent(authority))")

        let chunks = try await client.reserve(request).metering(Model().stream()) { _ in .added(.tokens(1)) }
        print("\(try await Reader().read(chunks)) chunks in an actor; \(spent(authority))")
        try await again(chunks)

        // Each iteration of `metered` reserves anew, in any task.
        let metered = client.metered(
            CyclesOptions(estimate: .tokens(100), action: Action(kind: "k", name: "n")),
            usage: { $0.usage.map { .total(.tokens($0.total)) } }
        ) { _ in Model().stream() }
        try await Task { for try await _ in metered {} }.value
        for try await _ in metered {}
        print("twice metered; \(spent(authority))")
        await client.shutdown()
    }

    /// The failure of any stream is any error.
    static func again<Stream: AsyncSequence>(_ stream: Stream) async throws where Stream.Failure == any Error {
        do {
            for try await _ in stream {}
        } catch CyclesError.validation(let issue) {
            print("\(issue.field) was iterated before")
        } catch {
            throw error
        }
    }

    static func spent(_ authority: LocalAuthority) -> String {
        let balance = authority.balances()[0]
        return "spent \(balance.spent?.amount ?? 0), reserved \(balance.reserved?.amount ?? 0)"
    }
}
