import Measurement

// Times the coding of one request and its answers. The coding is internal to Cycles: this module contains the needed
// folders of Cycles as symbolic links instead of importing the library.
//
// Arguments: the answer to a reserve request, the answer to a commit request.

/// The CPU time of one operation in nanoseconds: the median of several batches.
func nanoseconds<Value>(_ operation: () throws -> Value) rethrows -> Double {
    let batch = 20_000
    var batches: [Double] = []
    // The first batch warms up.
    for index in 0...15 {
        let start = measurement_now()
        for _ in 0..<batch {
            // The optimiser cannot see into C, and so must keep the value and its computation.
            try withUnsafeBytes(of: operation()) { measurement_keep($0.baseAddress) }
        }
        let microseconds = measurement_now().cpu - start.cpu
        if index > 0 { batches.append(microseconds * 1_000 / Double(batch)) }
    }
    return batches.sorted()[batches.count / 2]
}

func report(_ name: String, bytes: Int, target: Int? = nil, _ nanoseconds: Double) {
    func padded(_ number: Int, to width: Int) -> String {
        String(repeating: " ", count: max(0, width - String(number).count)) + String(number)
    }
    let comparison = target.map { "   (target: ≤ \($0) ns)" } ?? ""
    print("\(padded(Int(nanoseconds.rounded()), to: 6)) ns   \(name), \(bytes) bytes\(comparison)")
}

guard CommandLine.arguments.count == 3 else { fatalError("usage: JSONTiming RESERVE-ANSWER COMMIT-ANSWER") }
let reserveAnswer = [UInt8](CommandLine.arguments[1].utf8)
let commitAnswer = [UInt8](CommandLine.arguments[2].utf8)

let key = IdempotencyKey.random()
let reserveRequest = ReservationCreateRequest(
    subject: Subject(tenant: "acme", workspace: "prod", agent: "summarizer"),
    action: Action(kind: "llm.completion", name: "summarize-document"),
    estimate: .usdMicrocents(500_000)
)
let commitRequest = CommitRequest(
    actual: .usdMicrocents(423_000),
    metrics: CyclesMetrics(
        tokensInput: 1_500,
        tokensOutput: 800,
        latency: .milliseconds(2_340),
        modelVersion: "claude-sonnet-4-20250514"
    )
)

report(
    "decode the reserve answer",
    bytes: reserveAnswer.count,
    target: 3_000,
    try nanoseconds { try ReservationCreateResponse(body: reserveAnswer) }
)
report(
    "decode the reserve answer and its balances",
    bytes: reserveAnswer.count,
    try nanoseconds { try ReservationCreateResponse(body: reserveAnswer).balances }
)
report(
    "encode the reserve request",
    bytes: reserveRequest.encoded(key: key).count,
    target: 1_200,
    nanoseconds { reserveRequest.encoded(key: key) }
)
report(
    "decode the commit answer",
    bytes: commitAnswer.count,
    try nanoseconds { try CommitResponse(body: commitAnswer) }
)
report(
    "encode the commit request",
    bytes: commitRequest.encoded(key: key).count,
    nanoseconds { commitRequest.encoded(key: key) }
)
