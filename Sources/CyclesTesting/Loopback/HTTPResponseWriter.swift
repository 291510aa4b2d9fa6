package import Cycles

/// Writes answers as HTTP/1.1 messages (RFC 9112).
///
/// A pure function. The writer determines the framing, because framing fields of the answer could desynchronize the
/// connection.
package enum HTTPResponseWriter {
    /// Returns the bytes of an answer.
    ///
    /// An answer with an interim or invalid status, or with a field that would break the message, is replaced by a 502.
    package static func bytes(for response: HTTPResponse, toMethod method: String, keepsAlive: Bool) -> [UInt8] {
        guard (200...999).contains(response.status) else {
            let problem = failure(status: 502, message: "The status \(response.status) cannot be sent as an answer.")
            return bytes(for: problem, toMethod: method, keepsAlive: keepsAlive)
        }
        if let defect = response.headers.firstDefect {
            let problem = failure(status: 502, message: "The answer's header \(defect.name) \(defect.message).")
            return bytes(for: problem, toMethod: method, keepsAlive: keepsAlive)
        }
        var result: [UInt8] = []
        result.reserveCapacity(160 + response.headers.byteCount + response.body.count)
        result += "HTTP/1.1 \(response.status) \(reasonPhrase(response.status))\r\n".utf8
        response.headers.withoutHopByHopFields(and: ["content-length"]).forEachField { name, value in
            result.append(contentsOf: name)
            result += ": ".utf8
            result.append(contentsOf: value)
            result += "\r\n".utf8
        }
        let mayHaveBody = response.status != 204 && response.status != 205 && response.status != 304
        // 204 must not have a length; 304 and HEAD would need the length of a body that does not exist.
        switch response.status {
        case 204, 304: break
        case 205: result += "Content-Length: 0\r\n".utf8
        default:
            if method != "HEAD" || !response.body.isEmpty {
                result += "Content-Length: \(response.body.count)\r\n".utf8
            }
        }
        if !keepsAlive { result += "Connection: close\r\n".utf8 }
        result += "\r\n".utf8
        if mayHaveBody && method != "HEAD" { result += response.body }
        return result
    }

    /// An error answer of the server itself, in the form of the protocol's errors.
    package static func failure(status: Int, message: String) -> HTTPResponse {
        let (first, second) = SystemRandomness.words()
        let requestID = "req_" + ContentDigest.hexadecimal(of: "\(first)".utf8, words: 1)
        let traceID = ContentDigest.hexadecimal(of: "\(first) \(second)".utf8, words: 2)
        let body = JSONWriter.bytes(capacity: 256) { writer in
            writer.beginObject()
            writer.name("error")
            writer.string(status < 500 ? "INVALID_REQUEST" : "INTERNAL_ERROR")
            writer.name("message")
            writer.string(message)
            writer.name("request_id")
            writer.string(requestID)
            writer.name("trace_id")
            writer.string(traceID)
            writer.endObject()
        }
        let headers: HTTPHeaders = [
            "Content-Type": "application/json", "X-Request-Id": requestID, "X-Cycles-Trace-Id": traceID,
        ]
        return HTTPResponse(status: status, headers: headers, body: body)
    }

    private static func reasonPhrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        // The reason phrase may be empty; the space before it is required.
        default: ""
        }
    }
}
