/// Assembles an answer from the received header lines and pieces of the body. Refuses answers that a client should not
/// read to the end.
final class ResponseCollector {
    /// The reason why an answer is not read to the end.
    enum Refusal: Hashable {
        case bodyTooLarge
        case headTooLarge(limit: Int)
        /// The given number of interim answers (1xx) arrived without a final one.
        case interimAnswers(Int)
        /// The answer has no head. Its first bytes identify the protocol that the server speaks instead of HTTP.
        case notHTTP(start: [UInt8])
    }

    let maxBytes: Int
    /// The status of the latest head; 0 before the first.
    private(set) var status = 0
    private(set) var isHeadComplete = false
    /// The number of interim answers (1xx) that have begun.
    private(set) var interimAnswers = 0
    private(set) var refusal: Refusal?
    private var headBytes = 0
    /// The fields, in the layout of ``FieldLayout``.
    // Sound: no access to the buffer calls code that uses the collector.
    @exclusivity(unchecked) private var fields = GrowingBuffer()
    private var lastField = 0
    @exclusivity(unchecked) private var body: [UInt8] = []

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// Whether an answer has begun.
    private(set) var hasStatusLine = false

    /// Whether the latest head is that of an interim answer.
    var isInterim: Bool { (100..<200).contains(status) }

    /// Discards the last answer. The memory for headers is kept.
    func reset() {
        status = 0
        hasStatusLine = false
        isHeadComplete = false
        interimAnswers = 0
        refusal = nil
        headBytes = 0
        fields.removeAll()
        body = []
    }

    /// Adds a line of a head or of trailers, including its line break.
    /// - Returns: False if the answer is refused.
    func receiveHeaderLine(_ line: UnsafeRawBufferPointer) -> Bool {
        headBytes += line.count
        let limit = min(maxBytes, ResponseCollector.maxHeadBytes)
        guard headBytes <= limit else { return refuse(.headTooLarge(limit: limit)) }
        var end = line.count
        while end > 0, line[end - 1] == 10 || line[end - 1] == 13 { end -= 1 }
        let content = UnsafeRawBufferPointer(rebasing: line[..<end])
        if content.isEmpty {
            isHeadComplete = !isInterim
        } else if ResponseCollector.isStatusLine(content) {
            return beginHead(content, lineBytes: line.count)
        } else if !isHeadComplete {
            addField(content)
        }
        return true
    }

    /// Adds a piece of the body.
    /// - Returns: False if the answer is refused.
    func receiveBody(_ data: UnsafeRawBufferPointer) -> Bool {
        guard hasStatusLine else { return refuse(.notHTTP(start: Array(data.prefix(ResponseCollector.shownBytes)))) }
        guard body.count + data.count <= maxBytes else { return refuse(.bodyTooLarge) }
        body.append(contentsOf: data)
        return true
    }

    /// Returns the answer. The body moves out of the collector.
    func takeResponse() -> HTTPResponse {
        defer { body = [] }
        return HTTPResponse(status: status, headers: HTTPHeaders(received: fields.bytes), body: body)
    }

    private func refuse(_ reason: Refusal) -> Bool {
        refusal = refusal ?? reason
        return false
    }

    // MARK: Lines of a head

    /// Begins a head. Of interim answers, only the count is kept.
    private func beginHead(_ statusLine: UnsafeRawBufferPointer, lineBytes: Int) -> Bool {
        status = ResponseCollector.status(statusLine)
        if isInterim { interimAnswers += 1 }
        guard interimAnswers <= ResponseCollector.maxInterimAnswers else {
            return refuse(.interimAnswers(interimAnswers))
        }
        headBytes = lineBytes
        fields.removeAll()
        hasStatusLine = true
        isHeadComplete = false
        return true
    }

    private func addField(_ line: UnsafeRawBufferPointer) {
        if ResponseCollector.isBlank(line[0]) {
            continueLastField(ResponseCollector.trimmed(line))
            return
        }
        var colon = 0
        while colon < line.count, line[colon] != UInt8(ascii: ":") { colon += 1 }
        guard colon > 0, colon < line.count else { return }
        append(
            UnsafeRawBufferPointer(rebasing: line[..<colon]),
            ResponseCollector.trimmed(UnsafeRawBufferPointer(rebasing: line[(colon + 1)...]))
        )
    }

    private func append(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        guard let size = FieldLayout.size(name, value) else { return }
        lastField = fields.count
        FieldLayout.write(name, value, to: fields.extend(by: size))
    }

    /// Appends a folded line to the value of the last field, after a space.
    private func continueLastField(_ text: UnsafeRawBufferPointer) {
        guard fields.count > 0 else { return }
        let last = Array(fields.bytes[lastField...])
        fields.removeAll(after: lastField)
        last.withUnsafeBytes { last in
            FieldLayout.forEachField(in: last) { name, value in
                let longer = Array(value) + [UInt8(ascii: " ")] + Array(text)
                longer.withUnsafeBytes { append(name, $0) }
            }
        }
    }

    private static func isStatusLine(_ line: UnsafeRawBufferPointer) -> Bool {
        line.count >= 5 && line.loadUnaligned(as: UInt32.self).littleEndian == 0x5054_5448
            && line[4] == UInt8(ascii: "/")
    }

    /// The number after the HTTP version; 0 if there is none.
    private static func status(_ statusLine: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while position < statusLine.count, statusLine[position] != UInt8(ascii: " ") { position += 1 }
        while position < statusLine.count, statusLine[position] == UInt8(ascii: " ") { position += 1 }
        let end = min(position + 3, statusLine.count)
        var status = 0
        while position < end, statusLine[position] &- 0x30 < 10 {
            status = status * 10 + Int(statusLine[position] &- 0x30)
            position += 1
        }
        return status
    }

    private static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var (start, end) = (0, text.count)
        while start < end, isBlank(text[start]) { start += 1 }
        while end > start, isBlank(text[end - 1]) { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: text[start..<end])
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static let maxHeadBytes = 256 * 1_024
    /// No server has a reason to send more before its answer.
    private static let maxInterimAnswers = 100
    /// The number of bytes of an answer without a head that the error shows.
    private static let shownBytes = 40
}
