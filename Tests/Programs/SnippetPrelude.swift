import Cycles

// Names that the blocks of README.md and the articles use without declaring them.

struct TokenUsage: Sendable { var total: Int }

struct Reply: Sendable {
    var text: String
    var usage: TokenUsage
}

struct Chunk: Sendable {
    var text: String
    var usage: TokenUsage?
}

struct Prompt: Sendable, ExpressibleByStringLiteral {
    var tokenCount = 0
    init(stringLiteral value: String) {}
}

struct Model: Sendable {
    func complete(_ prompt: Prompt, maxTokens: Int64? = nil) async throws -> Reply {
        Reply(text: "", usage: TokenUsage(total: 0))
    }

    func stream(_ prompt: Prompt, maxTokens: Int64? = nil) async throws -> AsyncStream<Chunk> {
        AsyncStream { $0.finish() }
    }
}

let key = ""
let url = "https://cycles.example.com"
let acmeKey = ""
let keyFile: [UInt8] = []
let envelopeFile: [UInt8] = []
let header = ""
let model = Model()
let prompt: Prompt = ""
let promptTokens = 0
let stream = AsyncStream<Chunk> { $0.finish() }
let parts: [String] = []
let action = Action(kind: "llm.completion", name: "gpt-4o")
let request = ReservationCreateRequest(action: action, estimate: .tokens(1_000))
let options = CyclesOptions(estimate: .tokens(1_000), action: action)

func work() async throws -> Amount { .tokens(0) }
func process(_ part: String) async -> Amount { .tokens(0) }
func handle() async throws {}
func proceed() {}
func stop(because reason: String = "") {}

// A server's response, as in Hummingbird.

struct ByteBuffer: Sendable {
    init(string: String) {}
}

struct ResponseBody: Sendable {
    init(asyncSequence: some AsyncSequence<ByteBuffer, any Error> & Sendable) {}
}

struct Response: Sendable {
    enum Status { case ok, paymentRequired }

    init(status: Status, body: ResponseBody? = nil) {}
}
