import CCurl

/// A multi handle with its connections. `wake` is safe on any thread. Everything else belongs to one thread at a time.
final class CurlMulti: @unchecked Sendable {
    // Unchecked is sound: the pointer never changes, and libcurl allows curl_multi_wakeup on any thread.
    private let multi: UnsafeMutableRawPointer?
    /// Whether the handle was freed. Locked while the handle is woken, since another thread may free it then.
    private let isClosed = Lock(false)
    /// The sockets of the connections. libcurl refers to the object until the multi handle is freed.
    let sockets = CurlSockets()

    init(maxConnections: Int) {
        _ = CurlLibrary.initialise
        multi = curl_multi_init()
        guard let multi else { return }
        cycles_multi_set_long(multi, CURLMOPT_MAXCONNECTS, maxConnections)
        cycles_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, maxConnections)
        cycles_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX))
    }

    deinit { close() }

    var isUsable: Bool { multi != nil }

    /// Closes the connections. Only `wake` may be called afterwards, which then has no effect.
    func close() {
        isClosed.withLock { isClosed in
            if let multi, !isClosed { curl_multi_cleanup(multi) }
            isClosed = true
        }
    }

    func wake() { isClosed.withLock { if !$0 { curl_multi_wakeup(multi) } } }

    /// Sleeps until a socket is ready, libcurl has a timeout, the limit has passed, or `wake` is called.
    func sleep(milliseconds limit: Int) {
        let isCounted = ForkGate.leave()
        curl_multi_poll(multi, nil, 0, Int32(clamping: limit), nil)
        if isCounted { ForkGate.addThread() }
    }

    func perform() {
        var running: Int32 = 0
        curl_multi_perform(multi, &running)
    }

    func add(_ handle: CurlHandle) throws(HTTPTransportError) {
        let code = curl_multi_add_handle(multi, handle.easy)
        guard code == CURLM_OK else {
            throw HTTPTransportError(
                kind: .other,
                message: "libcurl could not start a transfer: \(String(cString: curl_multi_strerror(code)))",
                wasRequestSent: false
            )
        }
    }

    /// Removes a handle, which aborts its unfinished transfer.
    func remove(_ handle: CurlHandle) { curl_multi_remove_handle(multi, handle.easy) }

    func nextFinished() -> (easy: UnsafeMutableRawPointer, code: CURLcode)? {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            return (easy, cycles_message_result(message))
        }
        return nil
    }
}
