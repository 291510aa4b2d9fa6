import CCurl

/// An easy handle with all its state, used for one transfer at a time.
///
/// libcurl refers to the memory of a handle while a transfer runs. A handle therefore belongs to one thread at a time
/// and must not move.
final class CurlHandle {
    let easy: UnsafeMutableRawPointer
    let settings: CurlSettings
    let sockets: CurlSockets
    private let serverURL: OpaquePointer
    private let collector: ResponseCollector
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    /// The error number of the last failure to open a socket; 0 if there was none.
    private let socketError = UnsafeMutablePointer<CInt>.allocate(capacity: 1)

    // Sound: methods of the options do not call back, and do not run while libcurl runs.
    @exclusivity(unchecked) var options: CurlOptions
    // Sound: only libcurl's callbacks run during another call, and each access is a single statement.
    @exclusivity(unchecked) var attempt = CurlAttempt()
    /// Whether this libcurl asks before it sends a request.
    var reportsRequests = false

    /// The transfer that the handle's owner performs with it.
    var transfer: CurlTransfer?

    /// - Parameter sockets: The sockets of the multi handle that performs the transfers.
    /// - Throws: An error that names the setting that libcurl does not accept.
    init(_ settings: CurlSettings, _ sockets: CurlSockets) throws(HTTPTransportError) {
        _ = CurlLibrary.initialise
        guard let easy = curl_easy_init() else { throw .outOfMemory }
        guard let serverURL = curl_url() else {
            curl_easy_cleanup(easy)
            throw .outOfMemory
        }
        self.easy = easy
        self.serverURL = serverURL
        self.settings = settings
        self.sockets = sockets
        collector = ResponseCollector(maxBytes: settings.maxResponseBytes)
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        socketError.initialize(to: 0)
        options = CurlOptions(easy: easy, serverURL: serverURL, usesProxy: settings.proxy != nil)
        try options.setFixed(settings)
        try options.setMemory(collector: collector, errorText: errorText, socketError: socketError)
        setConnectionCallbacks()
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_url_cleanup(serverURL)
        errorText.deallocate()
        socketError.deallocate()
    }

    /// Prepares the handle for a request.
    /// - Parameter now: The monotonic time in nanoseconds at which the limits of the request begin.
    func prepare(_ request: HTTPRequest, at now: Int64) throws(HTTPTransportError) {
        try options.set(request)
        beginAttempts(request, at: now)
    }

    /// Discards the answer of the last attempt.
    func clearAnswer() {
        collector.reset()
        errorText[0] = 0
        socketError.pointee = 0
    }

    /// The status of the answer; 0 before one has arrived.
    var status: Int { collector.status }

    static func from(_ context: UnsafeMutableRawPointer) -> CurlHandle {
        Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue()
    }

    /// The handle of a finished transfer.
    static func of(easy: UnsafeMutableRawPointer) -> CurlHandle? {
        var context: UnsafeMutableRawPointer?
        guard cycles_easy_get_pointer(easy, CURLINFO_PRIVATE, &context) == CURLE_OK, let context else { return nil }
        return from(context)
    }

    // MARK: After a transfer

    /// The answer, or the error of a transfer without one.
    func result(_ code: CURLcode) -> Result<HTTPResponse, HTTPTransportError> {
        guard code == CURLE_OK else {
            settings.server.noteFailure()
            return .failure(failure(code).error)
        }
        if options.isSecure { settings.server.noteHTTPVersion(number(CURLINFO_HTTP_VERSION)) }
        return .success(collector.takeResponse())
    }

    /// The error of a transfer that was aborted by its caller or by the transport's shutdown.
    func interruption(_ kind: HTTPTransportError.Kind, _ message: (_ host: String) -> String) -> HTTPTransportError {
        HTTPTransportError(
            kind: kind,
            message: message(options.host),
            wasRequestSent: failure(CURLE_OK).wasRequestSent
        )
    }

    private func failure(_ code: CURLcode) -> CurlFailure {
        CurlFailure(
            code: code,
            text: text(of: code),
            systemError: systemError(of: code),
            server: options.host,
            route: settings.route,
            isSecure: options.isSecure,
            // libcurl also counts the bytes sent to a proxy before the request, which are not part of the request.
            requestBytesSent: hasRequestBegun ? max(1, number(CURLINFO_REQUEST_SIZE)) : 0,
            bodyBytesSent: offset(CURLINFO_SIZE_UPLOAD_T),
            bodyBytesTotal: options.bodyBytes,
            hasAnswerBegun: collector.hasStatusLine,
            isHeadComplete: collector.isHeadComplete,
            isInterim: collector.isInterim,
            interimAnswers: collector.interimAnswers,
            isNameResolved: offset(CURLINFO_NAMELOOKUP_TIME_T) > 0,
            isConnected: offset(CURLINFO_CONNECT_TIME_T) > 0,
            isEncrypted: offset(CURLINFO_APPCONNECT_TIME_T) > 0,
            isConnectionFresh: !isConnectionReused,
            refusal: collector.refusal,
            maxResponseBytes: settings.maxResponseBytes,
            elapsedMilliseconds: Int(clamping: attempt.elapsed.wholeMilliseconds)
        )
    }

    private func text(of code: CURLcode) -> String {
        let text = String(cString: errorText)
        // libcurl's error text for an invalid proxy URL contains the URL, including its password.
        let isSecret = settings.proxy.map { text.hasPart($0.value) } ?? false
        return text.isEmpty || isSecret ? String(cString: curl_easy_strerror(code)) : text
    }

    /// The system's error number for a failure, if known; 0 otherwise.
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
}
