package import Cycles

/// Parses HTTP/1.x requests (RFC 9112) from a stream of bytes, which may be split anywhere.
///
/// A pure value without I/O or time. Messages that implementations may frame differently are refused rather than
/// repaired, because such differences allow request smuggling.
///
/// Longer than other types: the rules of one grammar are easiest to check against its specification in one place.
package struct HTTPRequestParser: Sendable {
    /// The limits on the size of a request.
    package struct Limits: Hashable, Sendable {
        package var requestLineBytes = 8 * 1_024
        /// The size of all fields with their line ends, trailers included.
        package var headerBytes = 32 * 1_024
        package var headerCount = 100
        package var bodyBytes = 1_024 * 1_024

        package init() {}
    }

    /// One complete request.
    package struct Request: Hashable, Sendable {
        package var method: String
        package var target: String
        /// The fields as received, without trailers.
        package var headers: HTTPHeaders
        package var body: [UInt8]
        /// Whether the client may send another request after the answer.
        package var keepsAlive: Bool

        package init(method: String, target: String, headers: HTTPHeaders, body: [UInt8], keepsAlive: Bool) {
            self.method = method
            self.target = target
            self.headers = headers
            self.body = body
            self.keepsAlive = keepsAlive
        }
    }

    /// The reason why a request cannot be served. The bytes after the request cannot be parsed.
    package struct Failure: Error, Hashable {
        package var status: Int
        package var reason: String

        package init(_ status: Int, _ reason: String) {
            self.status = status
            self.reason = reason
        }
    }

    /// The next action of the caller.
    package enum Step: Hashable {
        /// Append more bytes, then call ``next()`` again.
        case needMore
        /// Send 100 Continue, then call ``next()`` again.
        case sendContinue
        /// Answer the request, then call ``next()`` again: another request may have arrived.
        case request(Request)
        /// Answer with the failure's status and close the connection. Every further step is the same failure.
        case failure(Failure)
    }

    private enum State {
        case requestLine
        case fields
        case body(missing: Int)
        case chunkSize
        case chunkData(missing: Int)
        case chunkEnd
        case trailers
        case failed(Failure)
    }

    /// The fields that decide the framing of the request.
    private struct Framing {
        var isVersion11 = true
        var hostCount = 0
        var contentLength: Int?
        var transferCodings: String?
        var wantsClose = false
        var expectsContinue = false
    }

    private static let longestChunkLine = 1_024

    private let limits: Limits
    private var state = State.requestLine
    private var buffer: [UInt8] = []
    /// The index of the first unconsumed byte.
    private var position = 0
    /// The end of the scanned part of the current line. No byte is scanned twice.
    private var scanned = 0
    private var hasSkippedEmptyLine = false
    private var method = ""
    private var target = ""
    private var headers = HTTPHeaders()
    private var headerBytesUsed = 0
    private var headerCount = 0
    private var framing = Framing()
    private var body: [UInt8] = []

    package init(limits: Limits = Limits()) {
        var limits = limits
        // Leaves room for one more digit, so that sizes cannot overflow, and keeps fields within the limits of
        // `HTTPHeaders`.
        limits.bodyBytes = min(limits.bodyBytes, Int.max / 64)
        limits.headerBytes = min(limits.headerBytes, Int(UInt16.max))
        self.limits = limits
    }

    /// Whether no byte of the next request has arrived.
    package var isBetweenRequests: Bool {
        if case .requestLine = state { return position == buffer.count }
        return false
    }

    /// Appends received bytes.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        // Consumed bytes are removed only here, so that ranges stay valid while `next` runs.
        if position == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            scanned = 0
            position = 0
        } else if position > 16 * 1_024 {
            buffer.removeFirst(position)
            scanned -= position
            position = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Appends received bytes.
    package mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// Parses the bytes so far.
    package mutating func next() -> Step {
        do throws(Failure) {
            return try advance()
        } catch {
            state = .failed(error)
            return .failure(error)
        }
    }

    private mutating func advance() throws(Failure) -> Step {
        while true {
            switch state {
            case .requestLine:
                guard let line = try takeLine(.request) else { return .needMore }
                if line.isEmpty {
                    // Accepts one empty line (RFC 9112 section 2.2): old clients send one after a body.
                    guard !hasSkippedEmptyLine else { throw Failure(400, "Empty lines stand before the request.") }
                    hasSkippedEmptyLine = true
                    continue
                }
                try readRequestLine(line)
                state = .fields
            case .fields:
                guard let line = try takeLine(.field) else { return .needMore }
                if line.isEmpty {
                    if try beginBody() { return .sendContinue }
                } else {
                    try readField(line, isTrailer: false)
                }
            case .body(let missing):
                let rest = takeBody(upTo: missing)
                guard rest == 0 else {
                    state = .body(missing: rest)
                    return .needMore
                }
                return .request(finish())
            case .chunkSize:
                guard let line = try takeLine(.chunkSize) else { return .needMore }
                let size = try chunkSize(line)
                state = size == 0 ? .trailers : .chunkData(missing: size)
            case .chunkData(let missing):
                let rest = takeBody(upTo: missing)
                guard rest == 0 else {
                    state = .chunkData(missing: rest)
                    return .needMore
                }
                state = .chunkEnd
            case .chunkEnd:
                guard try takeLine(.chunkEnd) != nil else { return .needMore }
                state = .chunkSize
            case .trailers:
                guard let line = try takeLine(.field) else { return .needMore }
                if line.isEmpty { return .request(finish()) }
                try readField(line, isTrailer: true)
            case .failed(let failure):
                throw failure
            }
        }
    }

    private mutating func finish() -> Request {
        let request = Request(
            method: method,
            target: target,
            headers: headers,
            body: body,
            keepsAlive: framing.isVersion11 && !framing.wantsClose
        )
        state = .requestLine
        hasSkippedEmptyLine = false
        headers = HTTPHeaders()
        headerBytesUsed = 0
        headerCount = 0
        framing = Framing()
        body = []
        return request
    }

    // MARK: Lines

    private enum Line {
        case request
        case field
        case chunkSize
        case chunkEnd
    }

    private func limit(of line: Line) -> Int {
        switch line {
        case .request: limits.requestLineBytes
        case .field: max(0, limits.headerBytes - headerBytesUsed - 2)
        case .chunkSize: HTTPRequestParser.longestChunkLine
        case .chunkEnd: 0
        }
    }

    private func tooLong(_ line: Line) -> Failure {
        switch line {
        case .request: Failure(414, "The request line is longer than \(limits.requestLineBytes) bytes.")
        case .field: Failure(431, "The header fields are longer than \(limits.headerBytes) bytes.")
        case .chunkSize: Failure(400, "The line with a chunk's size is too long.")
        case .chunkEnd: Failure(400, "A chunk is longer than its size.")
        }
    }

    /// Returns the next line without its end; nil if the line is incomplete.
    ///
    /// Bytes are checked in order, so that the result does not depend on how they were split.
    private mutating func takeLine(_ kind: Line) throws(Failure) -> Range<Int>? {
        let limit = limit(of: kind)
        while scanned < buffer.count {
            let byte = buffer[scanned]
            if byte == 0x0D {
                guard scanned + 1 < buffer.count else { return nil }
                guard buffer[scanned + 1] == 0x0A else { throw Failure(400, "A CR stands without its LF.") }
                let line = position..<scanned
                position = scanned + 2
                scanned = position
                if case .field = kind { headerBytesUsed += line.count + 2 }
                return line
            }
            if scanned - position >= limit { throw tooLong(kind) }
            if byte == 0x0A { throw Failure(400, "An LF stands without its CR.") }
            if byte < 0x20 && byte != 0x09 || byte == 0x7F {
                throw Failure(400, "A control character stands in the head of the request.")
            }
            scanned += 1
        }
        return nil
    }

    // MARK: Request line

    private mutating func readRequestLine(_ line: Range<Int>) throws(Failure) {
        let parts = buffer[line].split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw Failure(400, "The request line is not a method, a target and a version with single spaces between.")
        }
        guard !parts[0].isEmpty, parts[0].allSatisfy(HTTPRequestParser.isTokenByte) else {
            throw Failure(400, "The method is not a token.")
        }
        framing.isVersion11 = try HTTPRequestParser.isVersion11(parts[2])
        method = String(decoding: parts[0], as: UTF8.self)
        guard method != "CONNECT" else { throw Failure(501, "CONNECT is not served.") }
        target = try HTTPRequestParser.originForm(parts[1], method: method)
    }

    private static func isVersion11(_ version: ArraySlice<UInt8>) throws(Failure) -> Bool {
        let bytes = Array(version)
        guard bytes.count == 8, bytes.starts(with: Array("HTTP/".utf8)), bytes[6] == UInt8(ascii: "."),
            isDigit(bytes[5]), isDigit(bytes[7])
        else { throw Failure(400, "The request line does not end with an HTTP version.") }
        switch (bytes[5], bytes[7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): return true
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): return false
        default: throw Failure(505, "Only HTTP/1.1 and HTTP/1.0 are served.")
        }
    }

    /// The path and query of the target; `*` for the whole server.
    private static func originForm(_ target: ArraySlice<UInt8>, method: String) throws(Failure) -> String {
        guard target.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw Failure(400, "The target holds a character that no target may hold.")
        }
        let text = String(decoding: target, as: UTF8.self)
        if text.hasPrefix("/") || text == "*" && method == "OPTIONS" { return text }
        // A server must accept the absolute form (RFC 9112, section 3.2.2).
        guard let scheme = ["http://", "https://"].first(where: { text.lowercased().hasPrefix($0) }) else {
            throw Failure(400, "The target is neither a path nor an absolute URL.")
        }
        let rest = text.dropFirst(scheme.utf8.count)
        guard let path = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else {
            guard !rest.isEmpty else { throw Failure(400, "The target names no host.") }
            return "/"
        }
        guard path != rest.startIndex else { throw Failure(400, "The target names no host.") }
        return rest[path] == "?" ? "/" + rest[path...] : String(rest[path...])
    }

    // MARK: Fields

    private mutating func readField(_ line: Range<Int>, isTrailer: Bool) throws(Failure) {
        guard headerCount < limits.headerCount else {
            throw Failure(431, "There are more than \(limits.headerCount) header fields.")
        }
        headerCount += 1
        let first = buffer[line.lowerBound]
        guard first != 0x20, first != 0x09 else { throw Failure(400, "A header field continues on a second line.") }
        guard let colon = buffer[line].firstIndex(of: UInt8(ascii: ":")) else {
            throw Failure(400, "A header line has no colon.")
        }
        // A space before the colon is refused, because parsers treat it differently.
        let name = line.lowerBound..<colon
        guard !name.isEmpty, buffer[name].allSatisfy(HTTPRequestParser.isTokenByte) else {
            throw Failure(400, "The name of a header field is not a token.")
        }
        let value = trimmed((colon + 1)..<line.upperBound)
        // Trailers are dropped (RFC 9112, section 7.1.2): if merged, they could contradict the head.
        guard !isTrailer else { return }
        try noteFraming(name: name, value: value)
        // The fields are moved out and back, because `buffer` is borrowed from `self` meanwhile.
        var fields = HTTPHeaders()
        swap(&fields, &headers)
        buffer.withUnsafeBytes { bytes in
            fields.append(
                name: UnsafeRawBufferPointer(rebasing: bytes[name]),
                value: UnsafeRawBufferPointer(rebasing: bytes[value])
            )
        }
        swap(&fields, &headers)
    }

    private mutating func noteFraming(name: Range<Int>, value: Range<Int>) throws(Failure) {
        if isSame(name, "host") {
            framing.hostCount += 1
            let isPlain = buffer[value].allSatisfy { $0 > 0x20 && !#"/?#@\<>""#.utf8.contains($0) }
            guard isPlain else { throw Failure(400, "The Host is not a host and a port.") }
        } else if isSame(name, "content-length") {
            guard framing.contentLength == nil else { throw Failure(400, "There is more than one Content-Length.") }
            framing.contentLength = try contentLength(value)
        } else if isSame(name, "transfer-encoding") {
            let codings = String(decoding: buffer[value], as: UTF8.self)
            framing.transferCodings = framing.transferCodings.map { $0 + "," + codings } ?? codings
        } else if isSame(name, "connection") {
            let options = HTTPHeaders.listElements(String(decoding: buffer[value], as: UTF8.self))
            if options.contains("close") { framing.wantsClose = true }
        } else if isSame(name, "expect") {
            guard isSame(value, "100-continue") else { throw Failure(417, "Only 100-continue can be expected.") }
            framing.expectsContinue = true
        }
    }

    private func contentLength(_ value: Range<Int>) throws(Failure) -> Int {
        guard !value.isEmpty, buffer[value].allSatisfy(HTTPRequestParser.isDigit) else {
            throw Failure(400, "The Content-Length is not a number.")
        }
        var length = 0
        for byte in buffer[value] {
            length = length * 10 + Int(byte - UInt8(ascii: "0"))
            // The length is checked at each digit, to prevent an overflow.
            guard length <= limits.bodyBytes else { throw bodyTooLarge }
        }
        return length
    }

    private var bodyTooLarge: Failure { Failure(413, "The body is larger than \(limits.bodyBytes) bytes.") }

    // MARK: Body

    /// Decides the framing of the body. Returns true if the client waits for 100 Continue.
    private mutating func beginBody() throws(Failure) -> Bool {
        guard framing.hostCount == 1 || framing.hostCount == 0 && !framing.isVersion11 else {
            throw Failure(400, "There is not exactly one Host.")
        }
        if let codings = framing.transferCodings {
            guard framing.contentLength == nil else {
                throw Failure(400, "There is both a Content-Length and a Transfer-Encoding.")
            }
            guard framing.isVersion11 else { throw Failure(400, "HTTP/1.0 has no Transfer-Encoding.") }
            try checkCodings(codings)
            state = .chunkSize
        } else {
            state = .body(missing: framing.contentLength ?? 0)
            if framing.contentLength ?? 0 == 0 { return false }
        }
        // HTTP/1.0 has no interim answers, and a client that has sent body bytes does not wait.
        return framing.expectsContinue && framing.isVersion11 && position == buffer.count
    }

    private func checkCodings(_ codings: String) throws(Failure) {
        let codings = HTTPHeaders.listElements(codings)
        guard codings.last == "chunked", !codings.dropLast().contains(where: { $0 == "chunked" || $0.isEmpty }) else {
            throw Failure(400, "The Transfer-Encoding does not end with one chunked.")
        }
        guard codings.count == 1 else { throw Failure(501, "The only transfer coding served is chunked.") }
    }

    /// Consumes the received part of the body. Returns the number of missing bytes.
    private mutating func takeBody(upTo missing: Int) -> Int {
        let taken = min(missing, buffer.count - position)
        body.append(contentsOf: buffer[position..<(position + taken)])
        position += taken
        scanned = position
        return missing - taken
    }

    private func chunkSize(_ line: Range<Int>) throws(Failure) -> Int {
        var size = 0
        var index = line.lowerBound
        while index < line.upperBound, let digit = HTTPRequestParser.hexadecimalDigit(buffer[index]) {
            size = size * 16 + digit
            guard size + body.count <= limits.bodyBytes else { throw bodyTooLarge }
            index += 1
        }
        guard index > line.lowerBound else { throw Failure(400, "A chunk has no size.") }
        guard index < line.upperBound else { return size }
        // Only an extension may follow, which is ignored.
        let rest = trimmed(index..<line.upperBound)
        guard !rest.isEmpty, buffer[rest.lowerBound] == UInt8(ascii: ";") else {
            throw Failure(400, "A chunk's size is not a hexadecimal number.")
        }
        return size
    }

    // MARK: Bytes

    private func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, buffer[start] == 0x20 || buffer[start] == 0x09 { start += 1 }
        while start < end, buffer[end - 1] == 0x20 || buffer[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// Whether bytes equal a lower-case text, ignoring ASCII case.
    private func isSame(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count {
            let byte = buffer[range.lowerBound + offset]
            let lowercased = byte &- 0x41 < 26 ? byte | 0x20 : byte
            guard lowercased == text.utf8Start[offset] else { return false }
        }
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private static func hexadecimalDigit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
