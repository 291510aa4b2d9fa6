/// A reader of bytes that others write, with rules that hold for every input.
///
/// `Scripts/fuzz.sh` searches for inputs that break a rule, and `ReplayTests` runs the inputs of the corpus.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// Answers to all operations, and the error body.
    case answer
    /// Canonical JSON.
    case canonical
    /// Command lines of the tool, the values of options, and usage reports.
    case command
    /// Base URLs, variables of the environment, key files and times.
    case configuration
    /// Signed evidence.
    case envelope
    /// The JSON reader and writer.
    case json
    /// Key sets of signers.
    case keys
    /// The commit log, whole, torn and damaged.
    case log
    /// The server of the Model Context Protocol.
    case mcp
    /// Record files of the journal.
    case record
    /// The request parser of the loopback server.
    case request
    /// The collector of an answer's head and body.
    case response
    /// Amounts, prices, trace contexts, timestamps and terminal text.
    case text
    /// Webhook deliveries.
    case webhook

    /// Runs one input.
    /// - Throws: ``Finding`` if the input breaks a rule.
    func run(_ input: [UInt8]) throws(Finding) {
        switch self {
        case .answer: try AnswerTarget.run(input)
        case .canonical: try EvidenceTargets.canonicalise(input)
        case .command: try CommandTarget.run(input)
        case .configuration: try ConfigurationTarget.run(input)
        case .envelope: try EvidenceTargets.verifyEnvelope(input)
        case .json: try JSONTarget.run(input)
        case .keys: try EvidenceTargets.readKeys(input)
        case .log: try LogTarget.run(input)
        case .mcp: try MCPTarget.run(input)
        case .record: try RecordTarget.run(input)
        case .request: try RequestTarget.run(input)
        case .response: try ResponseTarget.run(input)
        case .text: try TextTarget.run(input)
        case .webhook: try EvidenceTargets.receive(input)
        }
    }
}

/// A rule that an input breaks.
struct Finding: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Throws a finding unless a rule holds.
func require(_ holds: Bool, _ finding: @autoclosure () -> String) throws(Finding) {
    if !holds { throw Finding(finding()) }
}

/// Returns the value that a rule promises, or throws a finding.
func require<Value>(_ value: Value?, _ finding: @autoclosure () -> String) throws(Finding) -> Value {
    guard let value else { throw Finding(finding()) }
    return value
}

/// Splits an input into the choices that steer a target and the bytes that it reads.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    /// The rest as text, with each invalid byte replaced.
    var text: String { String(decoding: rest, as: UTF8.self) }

    /// Takes a byte; 0 at the end.
    mutating func byte() -> Int { Int(rest.popFirst() ?? 0) }

    /// Takes a number of two bytes.
    mutating func number() -> Int { byte() << 8 | byte() }

    /// Takes at most `count` bytes.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let taken = rest.prefix(count)
        rest = rest.dropFirst(count)
        return Array(taken)
    }

    /// Takes the bytes before the next LF, and the LF; nil at the end.
    mutating func line() -> [UInt8]? {
        guard !rest.isEmpty else { return nil }
        let line = rest.prefix { $0 != UInt8(ascii: "\n") }
        rest = rest.dropFirst(line.count + 1)
        return Array(line)
    }
}

extension [UInt8] {
    /// The bytes in pieces of the given sizes, which repeat. A size of 0 counts as 1.
    func pieces(_ sizes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < count {
            let size = sizes.isEmpty ? count : Swift.max(1, Int(sizes[pieces.count % sizes.count]))
            pieces.append(Array(self[start..<Swift.min(count, start + size)]))
            start += size
        }
        return pieces
    }
}
