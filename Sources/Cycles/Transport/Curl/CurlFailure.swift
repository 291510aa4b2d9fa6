import CCurl

/// What is known of a transfer that failed: enough to say what happened, in which phase, and whether the server may
/// have acted.
struct CurlFailure {
    var code: CURLcode
    /// What libcurl says, or the system said to it.
    var text: String
    /// The host and port of the URL, and the way there if it is another than the direct one.
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

    /// What to do about it, where more can be said than what happened. What it goes by is the same for all versions of
    /// OpenSSL; of other libraries less is known.
    private var advice: String? {
        switch code {
        case CURLE_SSL_CONNECT_ERROR where text.hasPart("wrong version number"):
            "the server answered without TLS: check whether its URL begins with http"
        case CURLE_SSL_CACERT_BADFILE: "check that the file of certificate authorities is there, and is PEM"
        case CURLE_SSL_CERTPROBLEM: "check the client certificate and its key"
        case CURLE_PEER_FAILED_VERIFICATION where text.hasPart("issuer") || text.hasPart("self"):
            "if the authority is your own, name its certificate among the certificate authorities"
        default: nil
        }
    }

    var error: HTTPTransportError {
        let kind = kind
        let message =
            switch kind {
            case .responseTooLarge:
                "The answer of \(host) is larger than \(maxResponseBytes) bytes; raise maxResponseBytes to accept it"
            case .timedOut: "Timed out after \(elapsedMilliseconds) ms, \(phase): \(text) (libcurl \(code.rawValue))"
            default: "Failed \(phase): \(text) (libcurl \(code.rawValue))\(advice.map { "; " + $0 } ?? "")"
            }
        return HTTPTransportError(kind: kind, message: message, wasRequestSent: wasRequestSent)
    }
}
