import CCurl

/// The state of a transfer, which may take more than one attempt.
struct CurlAttempt {
    /// The progress of the attempt.
    enum Phase {
        /// Nothing has happened. libcurl may wait for another transfer's connection, to find out whether it can be
        /// shared.
        case waiting
        /// A name lookup or a connection has begun.
        case connecting
        /// The connection exists: the request is sent and the answer is received.
        case exchanging
    }

    var phase = Phase.waiting
    /// The limits of the request, for all attempts together.
    var timeout = Duration.zero
    var connectTimeout = Duration.zero
    /// The monotonic time in nanoseconds.
    var began: Int64 = 0
    /// Whether an attempt has failed because its connection was lost.
    var isRepeated = false
    /// Whether the connection had input before the request was sent.
    var hadEarlyInput = false
    /// Whether this attempt or an earlier one has begun to send a request.
    var hasRequestBegun = false

    var elapsed: Duration { .nanoseconds(SystemTime.monotonic.wholeNanoseconds - began) }
}

extension CurlHandle {
    /// The maximum wait for a connection that another transfer is making.
    private static let patience = Duration.milliseconds(200)

    /// The maximum sleep while a connection is made, in milliseconds. Some versions of libcurl do not report when the
    /// next address of a host is due.
    static let longestSleepWhileConnecting = 50

    /// Registers the callbacks for the steps before the request.
    func setConnectionCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        cycles_easy_set_pointer(easy, CURLOPT_PRIVATE, context)
        cycles_easy_set_resolver_start(
            easy,
            { _, _, context in
                if let context { CurlHandle.from(context).didBeginConnecting() }
                return 0
            },
            context
        )
        cycles_easy_set_socket_opened(
            easy,
            { context, socket, _ in
                guard let context else { return CURL_SOCKOPT_OK }
                let handle = CurlHandle.from(context)
                handle.didBeginConnecting()
                handle.sockets.insert(socket)
                return CURL_SOCKOPT_OK
            },
            context
        )
        // A connection may outlive the handle, but not the multi handle, which keeps its sockets.
        cycles_easy_set_socket_close(
            easy,
            { context, socket in
                guard let context else { return 1 }
                return Unmanaged<CurlSockets>.fromOpaque(context).takeUnretainedValue().close(socket)
            },
            Unmanaged.passUnretained(sockets).toOpaque()
        )
        let code = cycles_easy_set_request_callback(
            easy,
            { context, _, _, _, localPort in
                guard let context else { return 0 }
                return CurlHandle.from(context).maySendRequest(localPort: UInt16(clamping: localPort)) ? 0 : 1
            },
            context
        )
        reportsRequests = code == CURLE_OK
    }

    /// Whether the attempt has no connection yet.
    var isConnecting: Bool { reportsRequests ? attempt.phase != .exchanging : !hasPassedRequest }

    /// Whether at least a part of a request may have reached the server.
    var hasRequestBegun: Bool { attempt.hasRequestBegun || (!reportsRequests && hasPassedRequest) }

    /// Whether libcurl has begun to send a request, as far as can be told without the callback.
    private var hasPassedRequest: Bool { offset(CURLINFO_PRETRANSFER_TIME_T) > 0 }

    /// Whether the transfer has waited long enough for another transfer's connection.
    var hasWaitedEnough: Bool {
        attempt.phase == .waiting && options.connecting.waitsForOthers
            && attempt.elapsed >= min(CurlHandle.patience, attempt.connectTimeout / 2)
    }

    // MARK: Attempts

    /// Prepares the handle for the first attempt of a request.
    func beginAttempts(_ request: HTTPRequest, at now: Int64) {
        attempt = CurlAttempt(timeout: request.timeout, connectTimeout: request.connectTimeout, began: now)
        options.setTimeLimits(total: request.timeout, connect: request.connectTimeout)
        // Requests that begin together share a connection if the server speaks HTTP/2.
        connect(isFresh: false, waitsForOthers: options.isSecure && !settings.server.speaksHTTP1OverTLS)
        clearAnswer()
    }

    /// Prepares the handle, which has been removed from the multi handle, to make a connection of its own.
    func stopWaiting() {
        let elapsed = attempt.elapsed
        options.setTimeLimits(total: attempt.timeout - elapsed, connect: attempt.connectTimeout - elapsed)
        connect(isFresh: options.connecting.isFresh, waitsForOthers: false)
    }

    /// Prepares the handle to repeat the request if its connection was lost and the time limit allows.
    ///
    /// libcurl itself repeats a request whose kept connection ends without an answer. Servers and intermediaries may
    /// also end a connection with an unsolicited answer.
    /// - Returns: False if the attempt was the last.
    func prepareAgain(after code: CURLcode) -> Bool {
        guard !attempt.isRepeated, wasConnectionLost else { return false }
        let elapsed = attempt.elapsed
        guard elapsed < attempt.timeout else { return false }
        attempt.isRepeated = true
        attempt.hasRequestBegun = hasRequestBegun
        attempt.phase = .waiting
        attempt.hadEarlyInput = false
        options.setTimeLimits(total: attempt.timeout - elapsed, connect: attempt.connectTimeout)
        connect(isFresh: true, waitsForOthers: false)
        clearAnswer()
        return true
    }

    private var wasConnectionLost: Bool {
        attempt.hadEarlyInput || (status == 408 && isConnectionReused)
    }

    var isConnectionReused: Bool { number(CURLINFO_NUM_CONNECTS) == 0 }

    private func didBeginConnecting() {
        attempt.phase = .connecting
        sockets.hasNewConnections = true
    }

    /// Answers libcurl's question whether to send the request, once the connection exists.
    private func maySendRequest(localPort: UInt16) -> Bool {
        attempt.phase = .exchanging
        // Bytes that can be read now are not an answer to this request.
        if isSilentBeforeRequests, sockets.hasInput(localPort: localPort) {
            attempt.hadEarlyInput = true
            return false
        }
        attempt.hasRequestBegun = true
        return true
    }

    /// Whether the server sends nothing on the connection before the request. The last attempt accepts any input.
    private var isSilentBeforeRequests: Bool {
        if attempt.isRepeated { return false }
        // TLS and HTTP/2 messages may arrive before the first request of a connection or at any time.
        if options.isSecure { return isConnectionReused && settings.server.speaksHTTP1OverTLS }
        return isConnectionReused || settings.proxy == nil
    }

    private func connect(isFresh: Bool, waitsForOthers: Bool) {
        options.setConnecting((isFresh, waitsForOthers, settings.server.addressLifetime))
    }
}
