import CCurl

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Advice on failures whose remedy is known.
extension CurlFailure {
    /// Whether a failure with this code may result from a lack of file descriptors that libcurl does not report.
    static func mayLackDescriptors(_ code: CURLcode) -> Bool {
        [
            CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CERTPROBLEM, CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT,
        ].contains(code)
    }

    /// The resource that the process or the system lacks; nil if the failure has another cause.
    var shortage: String? {
        switch systemError {
        case EMFILE:
            return
                "the process has reached its limit of open files: raise the limit (ulimit -n), or lower maxConnections"
        case ENFILE: return "the system has reached its limit of open files: close some, or raise the limit"
        case ENOBUFS, ENOMEM: return "the system has no memory left for connections: free some, or lower maxConnections"
        default: break
        }
        // libcurl resolves names on a separate thread.
        guard code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY, text.hasPart("thread") else {
            return nil
        }
        return "the system gives the process no further thread: raise its limit (ulimit -u, or pids.max of its cgroup)"
    }

    var advice: String? {
        switch refusal {
        case .bodyTooLarge?: return "raise maxResponseBytes to accept it"
        case .headTooLarge(let limit)? where limit == maxResponseBytes: return "raise maxResponseBytes to accept it"
        case .notHTTP(let start)? where CurlFailure.isTLS(start): return CurlFailure.useHTTPS
        case .headTooLarge?, .interimAnswers?, .notHTTP?: return CurlFailure.checkBaseURL
        case nil: break
        }
        if let shortage { return shortage }
        switch kind {
        case .responseTooLarge: return "raise maxResponseBytes to accept it"
        case .invalidAnswer: return CurlFailure.checkBaseURL
        case .tls: return tlsAdvice
        case .connectionFailed, .timedOut: return connectionAdvice
        default: return nil
        }
    }

    private static let checkBaseURL =
        "check that the base URL names a Cycles server, and that nothing in between changes its answers"
    private static let useHTTPS = "the server speaks TLS there: its URL has to begin with https"

    /// A TLS record has a type from 20 to 23, and a version that begins with 3.
    private static func isTLS(_ start: [UInt8]) -> Bool {
        start.count >= 2 && (20...23).contains(start[0]) && start[1] == 3
    }

    /// All versions of OpenSSL use the same error texts. The texts of other libraries are less known.
    private var tlsAdvice: String? {
        switch code {
        case CURLE_SSL_CONNECT_ERROR
        where ["wrong version number", "packet length too long", "http request"].contains { text.hasPart($0) }:
            "the server answered without TLS: check whether its URL begins with http"
        case CURLE_SSL_CONNECT_ERROR where ["SYSCALL", "unexpected eof", "reset"].contains { text.hasPart($0) }:
            "the server ended the connection: check that it speaks TLS on that port"
        case CURLE_SSL_CACERT_BADFILE: "check that the file of certificate authorities is there, and is PEM"
        case CURLE_SSL_CERTPROBLEM: "check the client certificate and its key"
        case CURLE_PEER_FAILED_VERIFICATION where text.hasPart("issuer") || text.hasPart("self"):
            "if the authority is your own, name its certificate among the certificate authorities"
        default: nil
        }
    }

    private var connectionAdvice: String? {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return "check the host name in the base URL, and the name servers"
        case CURLE_COULDNT_RESOLVE_PROXY: return "check the host name of the proxy, and the name servers"
        case CURLE_COULDNT_CONNECT: return unreachableAdvice
        case CURLE_OPERATION_TIMEDOUT where text.hasPart("SSL connection"):
            return "check that the server speaks TLS on that port"
        // A server that expects TLS treats a plain request as a failed handshake, and closes the connection.
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR:
            guard isConnectionFresh, !isSecure, !hasAnswerBegun, requestBytesSent > 0, route == .direct else {
                return nil
            }
            return "if the server expects TLS there, its URL has to begin with https"
        default: return nil
        }
    }

    private var unreachableAdvice: String? {
        switch (systemError, route) {
        case (0, _), (ECONNREFUSED, .direct), (ECONNREFUSED, .proxy): return nil
        case (ECONNREFUSED, .unixSocket): return "nothing listens there: check that the server runs"
        case (ENOENT, _), (ENOTDIR, _), (ELOOP, _): return "check the path of the socket, and that the server runs"
        case (EACCES, .unixSocket), (EPERM, .unixSocket):
            return "the user of this process needs permission to write to the socket and to search its folders"
        case (EACCES, _), (EPERM, _): return "a firewall or a policy of this machine forbids the connection"
        case (EPROTOTYPE, _): return "it is a socket of another type: check its path"
        case (EAGAIN, .unixSocket): return "too many connections wait there: check that the server keeps up"
        case (EADDRNOTAVAIL, _):
            return
                "this machine has no free port for that address, or no address of its kind: close connections, or use "
                + "another address"
        case (ENETUNREACH, _), (EHOSTUNREACH, _), (ENETDOWN, _), (EAFNOSUPPORT, _):
            return
                "check the network of this machine, and the address in the \(route == .direct ? "base URL" : "proxy's URL")"
        default: return nil
        }
    }
}
