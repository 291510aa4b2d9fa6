import CCurl

/// The options of an easy handle, and the memory that they refer to.
///
/// Options common to all requests are set once. Options of a request are set only if they differ from those of the last
/// request. libcurl copies texts, which can fail for lack of memory. The request is then not sent: it could reach
/// another path.
struct CurlOptions: ~Copyable {
    private let easy: UnsafeMutableRawPointer
    /// The parsed URL of the server.
    private let serverURL: OpaquePointer
    /// Whether `serverURL` must contain the whole URL: the request target sent to a proxy depends on its kind.
    private let usesProxy: Bool

    /// The scheme, host and port set in `serverURL`; empty if the URL could not be set.
    private var origin: [UInt8] = []
    /// The host and port.
    private(set) var host = ""
    private(set) var isSecure = false
    /// Whether the transfer makes a connection of its own, whether it waits for a connection that another transfer is
    /// making, and the maximum age of a cached address, in seconds.
    private(set) var connecting = (isFresh: false, waitsForOthers: false, addressLifetime: -1)
    private var method: HTTPMethod?
    /// Whether libcurl sends a body, even an empty one.
    private var isPost = false
    private var timeout: Duration?
    private var connectTimeout: Duration?
    private var bodySize = -1

    private var url = GrowingBuffer()
    private var fields = CurlFieldList()
    private var body = GrowingBuffer()
    // libcurl keeps both addresses, which change only when their memory grows.
    private var listAddress: UnsafeMutablePointer<curl_slist>?
    private var bodyAddress: UnsafeMutablePointer<CChar>?

    init(easy: UnsafeMutableRawPointer, serverURL: OpaquePointer, usesProxy: Bool) {
        self.easy = easy
        self.serverURL = serverURL
        self.usesProxy = usesProxy
    }

    /// The size of the request's body, in bytes.
    var bodyBytes: Int { body.count }

    // MARK: Common to all requests

    /// - Throws: An error that names the setting that libcurl does not accept.
    func setFixed(_ settings: CurlSettings) throws(HTTPTransportError) {
        let numbers: [(option: CURLoption, value: Int, name: StaticString)] = [
            (CURLOPT_NOSIGNAL, 1, "NOSIGNAL"), (CURLOPT_NOPROGRESS, 1, "NOPROGRESS"),
            (CURLOPT_FOLLOWLOCATION, 0, "FOLLOWLOCATION"), (CURLOPT_TCP_KEEPALIVE, 1, "TCP_KEEPALIVE"),
            (CURLOPT_PATH_AS_IS, 1, "PATH_AS_IS"), (CURLOPT_SUPPRESS_CONNECT_HEADERS, 1, "SUPPRESS_CONNECT_HEADERS"),
            (CURLOPT_SSL_VERIFYPEER, 1, "SSL_VERIFYPEER"), (CURLOPT_SSL_VERIFYHOST, 2, "SSL_VERIFYHOST"),
            (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2), "SSLVERSION"),
        ]
        for (option, value, name) in numbers { try check(cycles_easy_set_long(easy, option, value), name) }
        try check(cycles_easy_show_headless_answers(easy), "HTTP09_ALLOWED")
        // A name server that does not answer must delay only the request that needs the name.
        try check(cycles_easy_leave_resolver(easy), "QUICK_EXIT")
        let limit = curl_off_t(settings.maxResponseBytes)
        try check(cycles_easy_set_offset(easy, CURLOPT_MAXFILESIZE_LARGE, limit), "maxResponseBytes")
        try check(cycles_easy_allow_http_only(easy), "the restriction to http and https")

        try set(CURLOPT_CAINFO, settings.tls.caBundlePath ?? SystemAuthorities.bundlePath, "tls.caBundlePath")
        try set(CURLOPT_SSLCERT, settings.tls.clientCertificatePath, "tls.clientCertificatePath")
        try set(CURLOPT_SSLKEY, settings.tls.clientKeyPath, "tls.clientKeyPath")
        try set(CURLOPT_PINNEDPUBLICKEY, settings.tls.pinnedPublicKey, "tls.pinnedPublicKey")
        try set(CURLOPT_UNIX_SOCKET_PATH, settings.unixSocketPath, "unixSocketPath")
        // The empty text means no proxy. Without it, libcurl would read the environment for every request.
        try set(CURLOPT_PROXY, settings.proxy?.value ?? "", "proxy")
        // Without the empty text, libcurl would read the hosts that bypass the proxy from the environment.
        try set(CURLOPT_NOPROXY, "", "proxy")
    }

    /// Sets the memory that libcurl writes to.
    ///
    /// - Parameters:
    ///   - collector: Receives the answer. Must outlive the handle.
    ///   - errorText: Receives libcurl's error text.
    ///   - socketError: Receives the error number of a socket that could not be opened.
    func setMemory(
        collector: ResponseCollector,
        errorText: UnsafeMutablePointer<CChar>,
        socketError: UnsafeMutablePointer<CInt>
    ) throws(HTTPTransportError) {
        try check(cycles_easy_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText), "ERRORBUFFER")
        try check(cycles_easy_note_socket_errors(easy, socketError), "OPENSOCKETFUNCTION")
        cycles_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { data, size, count, context in
            CurlOptions.receive(data, size * count, context) { $0.receiveBody($1) }
        }
        cycles_easy_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { data, size, count, context in
            CurlOptions.receive(data, size * count, context) { $0.receiveHeaderLine($1) }
        }
        let context = Unmanaged.passUnretained(collector).toOpaque()
        try check(cycles_easy_set_pointer(easy, CURLOPT_WRITEDATA, context), "WRITEDATA")
        try check(cycles_easy_set_pointer(easy, CURLOPT_HEADERDATA, context), "HEADERDATA")
    }

    /// Passes bytes to a collector. A result other than the byte count makes libcurl abort the transfer.
    @inline(__always)
    private static func receive(
        _ data: UnsafeMutablePointer<CChar>?,
        _ count: Int,
        _ context: UnsafeMutableRawPointer?,
        _ body: (ResponseCollector, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let context else { return 0 }
        let isAccepted = Unmanaged<ResponseCollector>.fromOpaque(context)._withUnsafeGuaranteedRef {
            body($0, UnsafeRawBufferPointer(start: data, count: count))
        }
        if isAccepted { return count }
        return count == 0 ? 1 : 0
    }

    // MARK: Of one request

    mutating func set(_ request: HTTPRequest) throws(HTTPTransportError) {
        if let defect = request.headers.firstDefect {
            throw .unsent("the header field \"\(defect.name)\" \(defect.message)")
        }
        try setURL(request.url)
        setBody(request.body)
        try setMethod(request.method, hasBody: !request.body.isEmpty)
        // For a larger body, libcurl would wait for a "100 Continue" that few servers send.
        let list = fields.set(request.headers, omitsExpect: request.body.count > 1_024)
        if list != listAddress { cycles_easy_set_list(easy, CURLOPT_HTTPHEADER, list) }
        listAddress = list
    }

    private mutating func setBody(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { body.set($0) }
        if body.count != bodySize { cycles_easy_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)) }
        bodySize = body.count
        let characters = body.characters
        guard characters != bodyAddress else { return }
        cycles_easy_set_pointer(easy, CURLOPT_POSTFIELDS, characters)
        bodyAddress = characters
        // Setting the address has made the request a POST.
        method = nil
    }

    mutating func setTimeLimits(total: Duration, connect: Duration) {
        if total != timeout { cycles_easy_set_long(easy, CURLOPT_TIMEOUT_MS, CurlOptions.milliseconds(total)) }
        if connect != connectTimeout {
            cycles_easy_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, CurlOptions.milliseconds(connect))
        }
        (timeout, connectTimeout) = (total, connect)
    }

    /// At least 1, because zero would mean no limit.
    private static func milliseconds(_ span: Duration) -> Int {
        Int(min(max(1, span.wholeMilliseconds), Int64(Int32.max)))
    }

    mutating func setConnecting(_ new: (isFresh: Bool, waitsForOthers: Bool, addressLifetime: Int)) {
        guard new != connecting else { return }
        connecting = new
        cycles_easy_set_long(easy, CURLOPT_FRESH_CONNECT, new.isFresh ? 1 : 0)
        cycles_easy_set_long(easy, CURLOPT_PIPEWAIT, new.waitsForOthers ? 1 : 0)
        cycles_easy_set_long(easy, CURLOPT_DNS_CACHE_TIMEOUT, new.addressLifetime)
    }

    private mutating func setMethod(_ new: HTTPMethod, hasBody: Bool) throws(HTTPTransportError) {
        let isPost = new == .post || hasBody
        guard new != method || isPost != self.isPost else { return }
        guard new != .get || !hasBody else { throw .unsent("a GET request has a body") }
        guard HTTPHeaders.isToken(new.rawValue) else { throw .unsent("the method is not valid") }
        method = nil
        cycles_easy_set_string(easy, CURLOPT_CUSTOMREQUEST, nil)
        cycles_easy_set_long(easy, isPost ? CURLOPT_POST : CURLOPT_HTTPGET, 1)
        if new != .get, new != .post { try set(CURLOPT_CUSTOMREQUEST, new.rawValue, "the method") }
        (method, self.isPost) = (new, isPost)
    }

    /// Parses the URL if the server differs from the last. Otherwise sets only the target of the request, which is
    /// cheap and is sent unchanged.
    private mutating func setURL(_ text: String) throws(HTTPTransportError) {
        var text = text
        text.withUTF8 { url.set(UnsafeRawBufferPointer($0)) }
        guard CurlOptions.isPlain(url.bytes) else {
            throw .unsent("the URL has a fragment, white space, or a character that has to be encoded")
        }
        url.append("\0")
        if usesProxy || !isURLOfServer { try setServer() }
        guard !usesProxy else { return }
        let path = url.characters + origin.count
        if path[0] == CChar(bitPattern: UInt8(ascii: "/")) {
            try set(CURLOPT_REQUEST_TARGET, path, "the path")
        } else {
            try set(CURLOPT_REQUEST_TARGET, "/" + String(cString: path), "the path")
        }
    }

    private mutating func setServer() throws(HTTPTransportError) {
        guard let pathStart = CurlOptions.pathStart(url.bytes) else {
            throw .unsent("the URL is not an absolute http or https URL")
        }
        origin = []
        let newOrigin = Array(url.bytes[..<pathStart])
        let serverText = usesProxy ? String(cString: url.characters) : String(decoding: newOrigin, as: UTF8.self)
        let code = curl_url_set(
            serverURL,
            CURLUPART_URL,
            serverText,
            UInt32(CURLU_PATH_AS_IS | CURLU_DISALLOW_USER)
        )
        guard code != CURLUE_OUT_OF_MEMORY else { throw .outOfMemory }
        guard code == CURLUE_OK else { throw .unsent("the URL is not valid, or carries credentials") }
        isSecure = newOrigin[4] | 0x20 == UInt8(ascii: "s")
        host = String(decoding: newOrigin.dropFirst(isSecure ? 8 : 7), as: UTF8.self)
        // A libcurl without HTTP/2 rejects the value and uses HTTP/1.1.
        cycles_easy_set_long(easy, CURLOPT_HTTP_VERSION, isSecure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)
        try check(cycles_easy_set_url(easy, serverURL), "the URL")
        origin = newOrigin
    }

    /// Whether `url` has the scheme, host and port that were set last.
    private var isURLOfServer: Bool {
        let bytes = url.bytes
        guard !origin.isEmpty, bytes.count > origin.count, CurlOptions.endsHost(bytes[origin.count]) else {
            return false
        }
        for index in origin.indices where bytes[index] != origin[index] { return false }
        return true
    }

    /// Whether a URL consists of visible ASCII characters other than `#`.
    private static func isPlain(_ url: UnsafeRawBufferPointer) -> Bool {
        url.withMemoryRebound(to: UInt8.self) { bytes in
            // Without an early exit, the compiler checks several bytes at a time.
            var defects: UInt8 = 0
            for byte in bytes { defects |= (byte &- 0x21 < 0x5e ? 0 : 1) | (byte == UInt8(ascii: "#") ? 1 : 0) }
            return defects == 0
        }
    }

    /// The position at which the host of an http or https URL ends; nil for other URLs.
    private static func pathStart(_ url: UnsafeRawBufferPointer) -> Int? {
        for scheme in ["http://", "https://"] {
            let length = scheme.utf8.count
            guard url.count > length + 1 else { continue }
            let matches = zip(url, scheme.utf8).allSatisfy { ($0 &- 0x41 < 26 ? $0 | 0x20 : $0) == $1 }
            if matches { return url[length...].firstIndex(where: endsHost) }
        }
        return nil
    }

    private static func endsHost(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == 0
    }

    // MARK: Checking

    /// Sets a text option. libcurl copies the text. Nil leaves the option unchanged.
    private func set(
        _ option: CURLoption,
        _ text: UnsafePointer<CChar>?,
        _ name: StaticString
    ) throws(HTTPTransportError) {
        guard let text else { return }
        try check(cycles_easy_set_string(easy, option, text), name)
    }

    private func check(_ code: CURLcode, _ name: StaticString) throws(HTTPTransportError) {
        switch code {
        case CURLE_OK: return
        case CURLE_OUT_OF_MEMORY: throw .outOfMemory
        default: throw .unsent("libcurl does not accept \(name): \(String(cString: curl_easy_strerror(code)))")
        }
    }
}

extension HTTPTransportError {
    /// The error of a request that cannot be sent.
    static func unsent(_ message: String) -> HTTPTransportError {
        HTTPTransportError(kind: .other, message: "Nothing was sent: \(message)", wasRequestSent: false)
    }

    static var outOfMemory: HTTPTransportError {
        HTTPTransportError(
            kind: .resourcesExhausted,
            message: "libcurl has no memory for a transfer",
            wasRequestSent: false
        )
    }
}
