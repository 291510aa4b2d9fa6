import CCurl

/// One easy handle with everything it needs for one transfer after another.
///
/// Options that are the same for all transfers are set once; the memory for headers, body and answer is kept. libcurl
/// refers to that memory while a transfer runs, so a handle belongs to one thread at a time and must not move. That is
/// also why nothing checks at run time whether two accesses to a property overlap.
final class CurlHandle {
    let easy: UnsafeMutableRawPointer
    private let parts: OpaquePointer
    let settings: CurlSettings
    let sockets: CurlSockets
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    /// Why the last socket could not be opened; 0 if all could be.
    private let socketError = UnsafeMutablePointer<CInt>.allocate(capacity: 1)

    /// The scheme, host and port that `parts` holds.
    @exclusivity(unchecked) private var origin: [UInt8] = []
    @exclusivity(unchecked) private var host = ""
    @exclusivity(unchecked) private(set) var isSecure = false
    @exclusivity(unchecked) private var method: HTTPMethod?
    @exclusivity(unchecked) private var connectTimeout: Int = -1
    @exclusivity(unchecked) private var timeout: Int = -1

    @exclusivity(unchecked) private var url = GrowingBuffer()
    @exclusivity(unchecked) private var headerText = GrowingBuffer()
    @exclusivity(unchecked) private var headerNodes: UnsafeMutablePointer<curl_slist>?
    @exclusivity(unchecked) private var headerNodeCapacity = 0
    @exclusivity(unchecked) private var requestBody = GrowingBuffer()

    @exclusivity(unchecked) private var answer = GrowingBuffer()
    @exclusivity(unchecked) private var answerHeaders = HTTPHeaders()
    @exclusivity(unchecked) private var answerHeaderBytes = 0
    @exclusivity(unchecked) private var hasStatusLine = false
    @exclusivity(unchecked) private var isHeadComplete = false
    @exclusivity(unchecked) private var interimAnswers = 0
    /// Whether the latest head is that of an interim answer.
    @exclusivity(unchecked) private var isInterim = false
    /// Why the rest of the answer was refused; nil if it was not.
    @exclusivity(unchecked) private var refusal: CurlFailure.Refusal?

    @exclusivity(unchecked) var attempt = CurlAttempt()
    @exclusivity(unchecked) var connecting = CurlConnecting()
    /// Whether this libcurl asks before it sends a request.
    @exclusivity(unchecked) var reportsRequests = false

    /// Whatever the owner of the handle has going on it.
    @exclusivity(unchecked) var transfer: CurlTransfer?

    /// - Parameter sockets: Those of the multi handle that the transfers run on.
    /// - Throws: An error that says which setting libcurl does not accept.
    init(_ settings: CurlSettings, _ sockets: CurlSockets) throws(HTTPTransportError) {
        _ = CurlLibrary.initialise
        guard let easy = curl_easy_init() else { throw CurlHandle.outOfMemory }
        guard let parts = curl_url() else {
            curl_easy_cleanup(easy)
            throw CurlHandle.outOfMemory
        }
        self.easy = easy
        self.parts = parts
        self.settings = settings
        self.sockets = sockets
        try setFixedOptions()
        setConnectionCallbacks()
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_url_cleanup(parts)
        errorText.deallocate()
        socketError.deallocate()
        headerNodes?.deallocate()
        url.deallocate()
        headerText.deallocate()
        requestBody.deallocate()
        answer.deallocate()
    }

    // MARK: Before a transfer

    /// Makes the handle ready for a request. Only what differs from the last one is set.
    func prepare(_ request: HTTPRequest) throws(HTTPTransportError) {
        if let defect = request.headers.firstDefect {
            throw refused("the header field \"\(defect.name)\" \(defect.message)")
        }
        try setURL(request.url)
        try setMethod(request.method, body: request.body)
        setHeaders(request.headers, expectsContinue: request.body.count > 1_024)
        beginAttempts(request)
    }

    /// Forgets what the last attempt brought.
    func clearAnswer() {
        answer.count = 0
        answerHeaders.removeAll(keepingCapacity: false)
        answerHeaderBytes = 0
        hasStatusLine = false
        isHeadComplete = false
        interimAnswers = 0
        isInterim = false
        refusal = nil
        errorText[0] = 0
        socketError.pointee = 0
    }

    private func setFixedOptions() throws(HTTPTransportError) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        cycles_easy_set_pointer(easy, CURLOPT_PRIVATE, context)
        cycles_easy_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
        errorText[0] = 0
        socketError.initialize(to: 0)
        cycles_easy_note_socket_errors(easy, socketError)
        cycles_easy_show_headless_answers(easy)
        cycles_easy_set_long(easy, CURLOPT_NOSIGNAL, 1)
        cycles_easy_set_long(easy, CURLOPT_NOPROGRESS, 1)
        // A name server that does not answer must hold up nobody but who asked.
        cycles_easy_leave_resolver(easy)
        cycles_easy_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        cycles_easy_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
        cycles_easy_set_long(easy, CURLOPT_PATH_AS_IS, 1)
        cycles_easy_set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        cycles_easy_set_offset(easy, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(settings.maxResponseBytes))
        try check(cycles_easy_allow_http_only(easy), "the restriction to http and https")

        cycles_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { data, size, count, context in
            guard let data, let context else { return 0 }
            return CurlHandle.from(context).receive(UnsafeRawBufferPointer(start: data, count: size * count))
        }
        cycles_easy_set_pointer(easy, CURLOPT_WRITEDATA, context)
        cycles_easy_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { data, size, count, context in
            guard let data, let context else { return 0 }
            return CurlHandle.from(context).receiveHeaderLine(UnsafeRawBufferPointer(start: data, count: size * count))
        }
        cycles_easy_set_pointer(easy, CURLOPT_HEADERDATA, context)

        cycles_easy_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1)
        cycles_easy_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2)
        cycles_easy_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        try setString(CURLOPT_CAINFO, settings.tls.caBundlePath ?? SystemAuthorities.bundlePath, "tls.caBundlePath")
        try setString(CURLOPT_SSLCERT, settings.tls.clientCertificatePath, "tls.clientCertificatePath")
        try setString(CURLOPT_SSLKEY, settings.tls.clientKeyPath, "tls.clientKeyPath")
        try setString(CURLOPT_PINNEDPUBLICKEY, settings.tls.pinnedPublicKey, "tls.pinnedPublicKey")
        try setString(CURLOPT_UNIX_SOCKET_PATH, settings.unixSocketPath, "unixSocketPath")
        // The empty text means no proxy; unset, libcurl would read the environment for every request.
        try setString(CURLOPT_PROXY, settings.proxy?.value ?? "", "proxy")
        // Likewise: unset, libcurl would read from the environment which hosts to go to without the proxy.
        try setString(CURLOPT_NOPROXY, "", "proxy")
    }

    private func setString(
        _ option: CURLoption,
        _ value: String?,
        _ name: String
    ) throws(HTTPTransportError) {
        guard let value else { return }
        try check(cycles_easy_set_string(easy, option, value), name)
    }

    private func check(_ code: CURLcode, _ what: String) throws(HTTPTransportError) {
        guard code == CURLE_OK else {
            throw refused("libcurl does not accept \(what): \(String(cString: curl_easy_strerror(code)))")
        }
    }

    /// Parses the URL when the server changes; otherwise the target of the request is all that is set, which costs
    /// next to nothing and is sent as it was built.
    private func setURL(_ text: String) throws(HTTPTransportError) {
        url.count = 0
        var text = text
        text.withUTF8 { url.append(UnsafeRawBufferPointer($0)) }
        url.append(0)
        let bytes = url.bytes.dropLast()
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }) else {
            throw refused("the URL has a fragment, white space, or a character that has to be encoded")
        }
        guard let pathStart = CurlHandle.pathStart(url.bytes) else {
            throw refused("the URL is not an absolute http or https URL")
        }
        // What a proxy is asked for depends on its kind, which libcurl knows best.
        let setsTarget = settings.proxy == nil
        if !setsTarget || !bytes[..<pathStart].elementsEqual(origin) {
            try setWholeURL(origin: Array(bytes[..<pathStart]))
        }
        if setsTarget {
            let characters = url.characters
            let path = characters + pathStart
            if path[0] == CChar(bitPattern: UInt8(ascii: "/")) {
                cycles_easy_set_string(easy, CURLOPT_REQUEST_TARGET, path)
            } else {
                cycles_easy_set_string(easy, CURLOPT_REQUEST_TARGET, "/" + String(cString: path))
            }
        }
    }

    private func setWholeURL(origin: [UInt8]) throws(HTTPTransportError) {
        let flags = UInt32(CURLU_PATH_AS_IS | CURLU_DISALLOW_USER)
        guard curl_url_set(parts, CURLUPART_URL, url.characters, flags) == CURLUE_OK else {
            self.origin = []
            throw refused("the URL is not valid, or carries credentials")
        }
        self.origin = origin
        isSecure = origin[4] | 0x20 == UInt8(ascii: "s")
        host = String(decoding: origin.dropFirst(isSecure ? 8 : 7), as: UTF8.self)
        let version = isSecure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        cycles_easy_set_long(easy, CURLOPT_HTTP_VERSION, version)
        try check(cycles_easy_set_url(easy, parts), "the URL")
    }

    /// Where the path of an http or https URL begins: at the first slash, question mark or the end after the host.
    private static func pathStart(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let schemes: [StaticString] = ["http://", "https://"]
        for scheme in schemes {
            let length = scheme.utf8CodeUnitCount
            guard bytes.count > length + 1 else { continue }
            let matches = (0..<length).allSatisfy { index in
                let byte = bytes[index]
                return (byte &- 0x41 < 26 ? byte | 0x20 : byte) == scheme.utf8Start[index]
            }
            guard matches else { continue }
            return bytes[length...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") || $0 == 0 }
        }
        return nil
    }

    private func setMethod(_ method: HTTPMethod, body: [UInt8]) throws(HTTPTransportError) {
        if method != self.method {
            guard HTTPHeaders.isToken(method.rawValue) else { throw refused("the method is not valid") }
            cycles_easy_set_string(easy, CURLOPT_CUSTOMREQUEST, nil)
            switch method {
            case .get: cycles_easy_set_long(easy, CURLOPT_HTTPGET, 1)
            case .post: cycles_easy_set_long(easy, CURLOPT_POST, 1)
            default:
                cycles_easy_set_long(easy, body.isEmpty ? CURLOPT_HTTPGET : CURLOPT_POST, 1)
                cycles_easy_set_string(easy, CURLOPT_CUSTOMREQUEST, method.rawValue)
            }
            self.method = method == .get || method == .post ? method : nil
        }
        if method == .get {
            guard body.isEmpty else { throw refused("a GET request has a body") }
            requestBody.count = 0
            return
        }
        requestBody.count = 0
        body.withUnsafeBytes { requestBody.append($0) }
        if method == .post || !body.isEmpty {
            cycles_easy_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            cycles_easy_set_pointer(easy, CURLOPT_POSTFIELDS, requestBody.characters)
        }
    }

    /// Lays the fields out as the list that libcurl reads, in memory that is kept.
    private func setHeaders(_ headers: HTTPHeaders, expectsContinue: Bool) {
        let count = headers.count + (expectsContinue ? 1 : 0)
        headerText.count = 0
        // All text is in place before any node points to it: appending may move it.
        headerText.reserve(headers.byteCount + headers.count * 4 + 16)
        if count > headerNodeCapacity {
            headerNodes?.deallocate()
            headerNodeCapacity = max(16, count)
            headerNodes = .allocate(capacity: headerNodeCapacity)
        }
        guard let headerNodes, count > 0 else {
            cycles_easy_set_list(easy, CURLOPT_HTTPHEADER, nil)
            return
        }
        var index = 0
        func add(_ start: Int) {
            headerText.append(0)
            headerNodes[index] = curl_slist(data: headerText.characters + start, next: nil)
            if index > 0 { headerNodes[index - 1].next = headerNodes + index }
            index += 1
        }
        headers.forEachField { name, value in
            let start = headerText.count
            headerText.append(name)
            if value.isEmpty {
                // libcurl takes a colon without a value for a field to leave out.
                headerText.append(UInt8(ascii: ";"))
            } else {
                headerText.append(UInt8(ascii: ":"))
                headerText.append(UInt8(ascii: " "))
                headerText.append(value)
            }
            add(start)
        }
        if expectsContinue {
            // A larger body would make libcurl wait for a permission that few servers give.
            let start = headerText.count
            for byte in "Expect:".utf8 { headerText.append(byte) }
            add(start)
        }
        cycles_easy_set_list(easy, CURLOPT_HTTPHEADER, headerNodes)
    }

    func setTimeLimits(total: Duration, connect: Duration) {
        let total = CurlHandle.milliseconds(total)
        let connect = CurlHandle.milliseconds(connect)
        if total != timeout {
            cycles_easy_set_long(easy, CURLOPT_TIMEOUT_MS, total)
            timeout = total
        }
        if connect != connectTimeout {
            cycles_easy_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, connect)
            connectTimeout = connect
        }
    }

    /// At least 1: zero would mean no limit.
    private static func milliseconds(_ span: Duration) -> Int {
        Int(clamping: min(max(1, span.wholeMilliseconds), Int64(Int32.max)))
    }

    // MARK: During a transfer

    @inline(__always)
    static func from(_ context: UnsafeMutableRawPointer) -> CurlHandle {
        Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue()
    }

    /// The handle that a finished transfer was on.
    static func of(easy: UnsafeMutableRawPointer) -> CurlHandle? {
        var context: UnsafeMutableRawPointer?
        guard cycles_easy_get_pointer(easy, CURLINFO_PRIVATE, &context) == CURLE_OK, let context else { return nil }
        return from(context)
    }

    private func receive(_ data: UnsafeRawBufferPointer) -> Int {
        guard hasStatusLine else {
            return refuse(.notHTTP(start: Array(data.prefix(CurlHandle.shownBytes))), data)
        }
        guard answer.count + data.count <= settings.maxResponseBytes else { return refuse(.bodyTooLarge, data) }
        answer.append(data)
        return data.count
    }

    private func receiveHeaderLine(_ line: UnsafeRawBufferPointer) -> Int {
        answerHeaderBytes += line.count
        let limit = min(settings.maxResponseBytes, CurlHandle.maxHeaderBytes)
        guard answerHeaderBytes <= limit else { return refuse(.headTooLarge(limit: limit), line) }
        var content = line
        while let last = content.last, last == 10 || last == 13 { content = .init(rebasing: content.dropLast()) }
        if content.starts(with: "HTTP/".utf8) {
            // The head of an interim answer, of which nothing is kept, or of the final one.
            isInterim = CurlHandle.isInterim(statusLine: content)
            if isInterim { interimAnswers += 1 }
            guard interimAnswers <= CurlHandle.maxInterimAnswers else {
                return refuse(.interimAnswers(interimAnswers), line)
            }
            answerHeaderBytes = line.count
            answerHeaders.removeAll(keepingCapacity: true)
            hasStatusLine = true
            isHeadComplete = false
        } else if content.isEmpty {
            isHeadComplete = !isInterim
        } else if !isHeadComplete {
            addHeaderLine(content)
        }
        return line.count
    }

    private static func isInterim(statusLine: UnsafeRawBufferPointer) -> Bool {
        guard let space = statusLine.firstIndex(of: UInt8(ascii: " ")) else { return false }
        return statusLine[space...].first { $0 != UInt8(ascii: " ") } == UInt8(ascii: "1")
    }

    private func addHeaderLine(_ line: UnsafeRawBufferPointer) {
        if line[0] == UInt8(ascii: " ") || line[0] == 9 {
            answerHeaders.appendToLastValue(CurlHandle.trimmed(line))
        } else if let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 {
            answerHeaders.append(
                name: UnsafeRawBufferPointer(rebasing: line[..<colon]),
                value: CurlHandle.trimmed(UnsafeRawBufferPointer(rebasing: line[(colon + 1)...]))
            )
        }
    }

    private static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var slice = text[...]
        while let first = slice.first, first == 32 || first == 9 { slice = slice.dropFirst() }
        while let last = slice.last, last == 32 || last == 9 { slice = slice.dropLast() }
        return UnsafeRawBufferPointer(rebasing: slice)
    }

    /// Makes libcurl give the transfer up: the number returned is another than that of the bytes.
    private func refuse(_ refusal: CurlFailure.Refusal, _ data: UnsafeRawBufferPointer) -> Int {
        if self.refusal == nil { self.refusal = refusal }
        return data.isEmpty ? 1 : 0
    }

    private static let maxHeaderBytes = 256 * 1_024
    /// More than a server has reason to send before its answer.
    private static let maxInterimAnswers = 100
    /// How much of an answer that is no HTTP is kept for the message.
    private static let shownBytes = 40

    // MARK: After a transfer

    /// The answer, or why there is none. The memory of the answer is free again afterwards.
    func result(_ code: CURLcode) -> Result<HTTPResponse, HTTPTransportError> {
        guard code == CURLE_OK else {
            settings.server.noteFailure()
            return .failure(failure(code).error)
        }
        if isSecure { settings.server.noteHTTPVersion(number(CURLINFO_HTTP_VERSION)) }
        let status = number(CURLINFO_RESPONSE_CODE)
        let response = HTTPResponse(status: status, headers: answerHeaders, body: Array(answer.bytes))
        answerHeaders = HTTPHeaders()
        answer.shrink(to: CurlHandle.keptAnswerBytes)
        return .success(response)
    }

    /// The error for a transfer that its caller gave up, or that ended with its transport.
    func interruption(_ kind: HTTPTransportError.Kind, _ message: (_ host: String) -> String) -> HTTPTransportError {
        HTTPTransportError(kind: kind, message: message(host), wasRequestSent: failure(CURLE_OK).wasRequestSent)
    }

    private static let keptAnswerBytes = 64 * 1_024

    private func failure(_ code: CURLcode) -> CurlFailure {
        // libcurl counts what was sent to a proxy to get through it, which is no part of the request.
        let requestSize = hasRequestBegun ? max(1, number(CURLINFO_REQUEST_SIZE)) : 0
        return CurlFailure(
            code: code,
            text: text(of: code),
            systemError: systemError(of: code),
            server: host,
            route: settings.route,
            isSecure: isSecure,
            requestBytesSent: requestSize,
            bodyBytesSent: offset(CURLINFO_SIZE_UPLOAD_T),
            bodyBytesTotal: requestBody.count,
            hasAnswerBegun: hasStatusLine,
            isHeadComplete: isHeadComplete,
            isInterim: isInterim,
            interimAnswers: interimAnswers,
            isNameResolved: offset(CURLINFO_NAMELOOKUP_TIME_T) > 0,
            isConnected: offset(CURLINFO_CONNECT_TIME_T) > 0,
            isEncrypted: offset(CURLINFO_APPCONNECT_TIME_T) > 0,
            isConnectionFresh: !isConnectionReused,
            refusal: refusal,
            maxResponseBytes: settings.maxResponseBytes,
            elapsedMilliseconds: Int(clamping: attempt.elapsed.wholeMilliseconds)
        )
    }

    private func text(of code: CURLcode) -> String {
        let text = String(cString: errorText)
        // libcurl quotes a proxy that it does not understand with its password.
        let isSecret = settings.proxy.map { text.hasPart($0.value) } ?? false
        return text.isEmpty || isSecret ? String(cString: curl_easy_strerror(code)) : text
    }

    /// The system's reason for a failure, as far as there is one and libcurl or the system tells; 0 otherwise.
    private func systemError(of code: CURLcode) -> Int32 {
        if code == CURLE_COULDNT_CONNECT {
            let error = number(CURLINFO_OS_ERRNO)
            if error > 0 { return Int32(truncatingIfNeeded: error) }
        }
        if socketError.pointee != 0 { return socketError.pointee }
        return CurlFailure.mayLackDescriptors(code) ? SystemErrors.descriptorShortage() : 0
    }

    func number(_ info: CURLINFO) -> Int {
        var value = 0
        cycles_easy_get_long(easy, info, &value)
        return value
    }

    func offset(_ info: CURLINFO) -> Int {
        var value: curl_off_t = 0
        cycles_easy_get_offset(easy, info, &value)
        return Int(value)
    }

    private func refused(_ message: String) -> HTTPTransportError {
        HTTPTransportError(kind: .other, message: "Nothing was sent: \(message)", wasRequestSent: false)
    }

    static var outOfMemory: HTTPTransportError {
        HTTPTransportError(kind: .other, message: "libcurl has no memory for a transfer", wasRequestSent: false)
    }
}
