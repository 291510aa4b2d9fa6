import CCurl

/// The known facts of a failed transfer: the failure, its phase, and whether the server may have acted.
struct CurlFailure {
    var code: CURLcode
    /// libcurl's description of the failure.
    var text: String
    /// The system's error number; 0 if there is none.
    var systemError: Int32 = 0
    /// The host and port of the URL.
    var server: String
    var route = CurlRoute.direct
    var isSecure = false
    /// The number of bytes of the request that were sent: its head, and possibly its body.
    var requestBytesSent = 0
    var bodyBytesSent = 0
    var bodyBytesTotal = 0
    /// Whether the answer had begun.
    var hasAnswerBegun = false
    var isHeadComplete = false
    /// Whether the last received head is that of an interim answer.
    var isInterim = false
    var interimAnswers = 0
    var isNameResolved = false
    var isConnected = false
    var isEncrypted = false
    /// Whether the transfer made a connection of its own.
    var isConnectionFresh = false
    var refusal: ResponseCollector.Refusal?
    var maxResponseBytes = 0
    var elapsedMilliseconds = 0

    /// False if nothing was sent, true if the whole request was sent, nil if sending stopped in between.
    var wasRequestSent: Bool? {
        if hasAnswerBegun { return true }
        if requestBytesSent == 0 { return false }
        return bodyBytesSent >= bodyBytesTotal ? true : nil
    }

    var error: HTTPTransportError {
        let kind = kind
        let start = kind == .timedOut ? "Timed out after \(elapsedMilliseconds) ms, \(phase)" : "Failed \(phase)"
        let advice = advice
        return HTTPTransportError(
            kind: kind,
            message: "\(start): \(reason)" + (advice.map { "; " + $0 } ?? ""),
            wasRequestSent: wasRequestSent
        ).advised(advice != nil)
    }

    // MARK: What failed, on what

    private var host: String { server + route.suffix }

    private var phase: String {
        if isHandshakeFailure { return "in the TLS handshake with \(host)" }
        if hasAnswerBegun {
            guard isInterim, refusal == nil else { return "receiving the answer of \(host)" }
            return "waiting for the answer of \(host), after \(interimAnswers) interim answers (1xx)"
        }
        if refusal != nil || (requestBytesSent > 0 && kind == .invalidAnswer) {
            return "receiving the answer of \(host)"
        }
        if requestBytesSent > 0 {
            return wasRequestSent == true ? "waiting for the answer of \(host)" : "sending the request to \(host)"
        }
        if isConnected { return isSecure && !isEncrypted ? "in the TLS handshake with \(host)" : "sending to \(host)" }
        return isNameResolved ? "connecting to \(host)" : "resolving and connecting to \(host)"
    }

    /// Some codes and texts of libcurl imply that a connection existed.
    private var isHandshakeFailure: Bool {
        guard requestBytesSent == 0 else { return false }
        return switch code {
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_PINNEDPUBKEYNOTMATCH: true
        case CURLE_OPERATION_TIMEDOUT: text.hasPart("SSL connection")
        default: false
        }
    }

    // MARK: Why

    private var reason: String {
        switch refusal {
        case .bodyTooLarge?: return "it is larger than \(maxResponseBytes) bytes"
        case .headTooLarge(let limit)?: return "its head is larger than \(limit) bytes"
        case .interimAnswers(let count)?: return "\(count) interim answers (1xx) came, and no final one"
        case .notHTTP(let start)?: return "it is not HTTP: it begins with \(CurlFailure.shown(start))"
        case nil: break
        }
        if code == CURLE_FILESIZE_EXCEEDED { return "it is larger than \(maxResponseBytes) bytes" }
        if isHeadRefusedByLibrary {
            return "its head has a line longer than libcurl accepts (libcurl \(code.rawValue))"
        }
        guard systemError != 0 else { return "\(text) (libcurl \(code.rawValue))" }
        return "\(SystemErrors.text(systemError)) (libcurl \(code.rawValue))"
    }

    var kind: HTTPTransportError.Kind {
        switch refusal {
        case .bodyTooLarge?: return .responseTooLarge
        case .headTooLarge(let limit)?: return limit == maxResponseBytes ? .responseTooLarge : .invalidAnswer
        case .interimAnswers?, .notHTTP?: return .invalidAnswer
        case nil: break
        }
        if isHeadRefusedByLibrary { return .invalidAnswer }
        if shortage != nil { return .resourcesExhausted }
        switch code {
        case CURLE_FILESIZE_EXCEEDED: return .responseTooLarge
        case CURLE_OPERATION_TIMEDOUT: return .timedOut
        case CURLE_OUT_OF_MEMORY: return .resourcesExhausted
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: return .invalidAnswer
        case CURLE_UNSUPPORTED_PROTOCOL where requestBytesSent > 0: return .invalidAnswer
        // libcurl has no code for a malformed chunked body.
        case CURLE_RECV_ERROR where text.hasPart("chunk"): return .invalidAnswer
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING,
            CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_PROXY:
            return .connectionFailed
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_CRL_BADFILE, CURLE_USE_SSL_FAILED,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_INVALIDCERTSTATUS:
            return .tls
        default: return .other
        }
    }

    /// libcurl limits the length of header lines. It reports an excess as a lack of memory and, since 8.6, with a
    /// separate code, 100.
    private var isHeadRefusedByLibrary: Bool {
        guard requestBytesSent > 0, !isHeadComplete else { return false }
        return code == CURLE_OUT_OF_MEMORY || code.rawValue == 100
            || (code == CURLE_RECV_ERROR && text.hasPart("response headers"))
    }

    /// Formats bytes for a single line: ASCII in quotation marks, other bytes in hexadecimal.
    private static func shown(_ bytes: [UInt8]) -> String {
        let text = bytes.prefix { $0 != 10 && $0 != 13 }
        if !text.isEmpty, text.allSatisfy({ (0x20..<0x7f).contains($0) }) {
            return "\"\(String(decoding: text, as: UTF8.self))\""
        }
        let digits = Array("0123456789abcdef".utf8)
        let pairs = bytes.prefix(8).map {
            String(decoding: [digits[Int($0 >> 4)], digits[Int($0 & 15)]], as: UTF8.self)
        }
        return "the bytes " + pairs.joined(separator: " ")
    }
}

extension HTTPTransportError {
    fileprivate func advised(_ hasAdvice: Bool) -> HTTPTransportError {
        var copy = self
        copy.hasAdvice = hasAdvice
        return copy
    }
}
