import CCurl

/// What is known of a transfer that failed: enough to say what happened, in which phase, and whether the server may
/// have acted.
struct CurlFailure {
    var code: CURLcode
    /// What libcurl says.
    var text: String
    /// The host and port of the URL.
    var host: String
    var isSecure: Bool
    /// How many bytes of the request's head, and possibly its body, went out.
    var requestBytesSent: Int
    var bodyBytesSent: Int
    var bodyBytesTotal: Int
    /// Whether the answer had begun.
    var hasAnswerBegun: Bool
    var isNameResolved: Bool
    var isConnected: Bool
    var isEncrypted: Bool
    /// Whether the answer grew beyond the limit.
    var isTooLarge: Bool
    var maxResponseBytes: Int
    var elapsedMilliseconds: Int

    /// False if nothing went out, true if all did, nil if it broke off in between.
    var wasRequestSent: Bool? {
        if hasAnswerBegun { return true }
        if requestBytesSent == 0 { return false }
        return bodyBytesSent >= bodyBytesTotal ? true : nil
    }

    /// What was going on.
    private var phase: String {
        if hasAnswerBegun { return "receiving the answer of \(host)" }
        if requestBytesSent > 0 {
            return wasRequestSent == true ? "waiting for the answer of \(host)" : "sending the request to \(host)"
        }
        if isConnected { return isSecure && !isEncrypted ? "the TLS handshake with \(host)" : "sending to \(host)" }
        return isNameResolved ? "connecting to \(host)" : "resolving and connecting to \(host)"
    }

    private var kind: HTTPTransportError.Kind {
        if isTooLarge || code == CURLE_FILESIZE_EXCEEDED { return .responseTooLarge }
        switch code {
        case CURLE_OPERATION_TIMEDOUT: return .timedOut
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING,
            CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM:
            return .connectionFailed
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_CRL_BADFILE, CURLE_USE_SSL_FAILED,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_INVALIDCERTSTATUS:
            return .tls
        default: return .other
        }
    }

    var error: HTTPTransportError {
        let kind = kind
        let message =
            switch kind {
            case .responseTooLarge:
                "The answer of \(host) is larger than \(maxResponseBytes) bytes; raise maxResponseBytes to accept it"
            case .timedOut: "Timed out after \(elapsedMilliseconds) ms, \(phase): \(text) (libcurl \(code.rawValue))"
            default: "Failed \(phase): \(text) (libcurl \(code.rawValue))"
            }
        return HTTPTransportError(kind: kind, message: message, wasRequestSent: wasRequestSent)
    }
}
