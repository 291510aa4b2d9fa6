@testable import Cycles

/// The collector of an answer's head and body.
///
/// The first byte of an input chooses the limit, the second is the number of sizes that follow, and the rest is the
/// stream. Lines arrive one by one, as from libcurl, and the body in pieces of these sizes. A zero byte in the body
/// precedes the trailers.
enum ResponseTarget {
    private static let limits = [24, 60, 500, 1_000_000]

    static func run(_ bytes: [UInt8]) throws(Finding) {
        var input = FuzzInput(bytes)
        let limit = limits[input.byte() % limits.count]
        let sizes = input.bytes(input.byte() % 16)
        let stream = Stream(Array(input.rest))
        let collector = ResponseCollector(maxBytes: limit)
        let whole = receive(stream, [], collector)
        // The memory of an earlier answer is used again.
        for sizes in [sizes, [1], []] {
            collector.reset()
            let other = receive(stream, sizes, collector)
            try require(other == whole, "the answer depends on the split or on an earlier answer")
        }
        switch whole {
        case .refused: break
        case .answer(let response):
            try require(response.body.count <= limit, "the body is too large")
            try compare(response, stream)
        }
    }

    private enum Outcome: Equatable {
        case answer(HTTPResponse)
        case refused(ResponseCollector.Refusal?)
    }

    private static func receive(_ stream: Stream, _ sizes: [UInt8], _ collector: ResponseCollector) -> Outcome {
        func accept(lines: [[UInt8]]) -> Bool {
            lines.allSatisfy { line in line.withUnsafeBytes { collector.receiveHeaderLine($0) } }
        }
        func accept(body: [[UInt8]]) -> Bool {
            body.allSatisfy { piece in piece.withUnsafeBytes { collector.receiveBody($0) } }
        }
        let isAccepted =
            accept(lines: stream.head) && accept(body: stream.body.pieces(sizes)) && accept(lines: stream.trailers)
        // The first bytes of an answer without a head are those of its first piece.
        if case .notHTTP? = collector.refusal { return .refused(.notHTTP(start: [])) }
        guard isAccepted else { return .refused(collector.refusal) }
        return .answer(collector.takeResponse())
    }

    /// The parts of a stream, as libcurl delivers them.
    private struct Stream {
        /// The lines of all heads.
        var head: [[UInt8]] = []
        var body: [UInt8] = []
        /// The lines of the trailers.
        var trailers: [[UInt8]] = []

        init(_ bytes: [UInt8]) {
            // Without a status line, libcurl delivers everything as body.
            guard isStatusLine(bytes) else {
                body = bytes
                return
            }
            var rest = bytes[...]
            func takeLine() -> [UInt8] {
                let end = rest.firstIndex(of: 0x0a).map { $0 + 1 } ?? rest.endIndex
                defer { rest = rest[end...] }
                return Array(rest[..<end])
            }
            var isFinal = false
            while !rest.isEmpty {
                let line = takeLine()
                if isStatusLine(line) { isFinal = !isInterim(line) }
                head.append(line)
                if isFinal, content(line).isEmpty { break }
            }
            body = Array(rest.prefix { $0 != 0 })
            rest = rest.dropFirst(body.count + 1)
            while !rest.isEmpty {
                let line = takeLine()
                if !isStatusLine(line) { trailers.append(line) }
            }
        }
    }

    /// The answer has the fields of its last head.
    private static func compare(_ response: HTTPResponse, _ stream: Stream) throws(Finding) {
        let first = stream.head.lastIndex(where: isStatusLine)
        var fields: [(name: [UInt8], value: [UInt8])] = []
        for line in stream.head[(first.map { $0 + 1 } ?? 0)...] {
            let content = content(line)
            guard let byte = content.first else { continue }
            if isBlank(byte) {
                if let last = fields.popLast() { fields.append((last.name, last.value + [0x20] + trimmed(content))) }
            } else if let colon = content.firstIndex(of: UInt8(ascii: ":")), colon > 0 {
                fields.append((Array(content[..<colon]), trimmed(Array(content[(colon + 1)...]))))
            }
        }
        var received: [(name: [UInt8], value: [UInt8])] = []
        response.headers.forEachField { received.append((Array($0), Array($1))) }
        try require(received.elementsEqual(fields) { $0.name == $1.name && $0.value == $1.value }, "the fields differ")
        try require(response.body == stream.body, "the body differs")
        try require((0...999).contains(response.status), "the status is \(response.status)")
    }

    private static func content(_ line: [UInt8]) -> [UInt8] {
        var line = line
        while line.last == 0x0a || line.last == 0x0d { line.removeLast() }
        return line
    }

    private static func isStatusLine(_ line: [UInt8]) -> Bool { line.starts(with: "HTTP/".utf8) }

    private static func isInterim(_ line: [UInt8]) -> Bool {
        let words = content(line).split(separator: 0x20)
        let digits = words.count > 1 ? words[1].prefix(3) : []
        return digits.count == 3 && digits.first == UInt8(ascii: "1") && digits.allSatisfy { $0 &- 0x30 < 10 }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func trimmed(_ text: [UInt8]) -> [UInt8] {
        Array(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
