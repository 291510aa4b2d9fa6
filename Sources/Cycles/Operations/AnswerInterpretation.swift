extension Operation {
    /// Interprets an answer to this operation. Errors contain no secret that the server quotes.
    package func interpret(
        _ response: HTTPResponse,
        _ redactor: @autoclosure () -> Redactor
    ) throws(CyclesError) -> APIResponse<Output> {
        guard response.status == successStatus else { throw failure(response, redactor()) }
        do throws(JSONError) {
            return APIResponse(
                value: try Output(body: response.body),
                http: ResponseMetadata(response),
                body: response.body,
                idempotencyKey: idempotencyKey
            )
        } catch {
            throw invalid(response, error.description, redactor())
        }
    }

    private func failure(_ response: HTTPResponse, _ redactor: Redactor) -> CyclesError {
        switch response.status {
        case 400...: return errorAnswer(response, redactor)
        case 300..<400:
            let target = response.headers["Location"].map { " to \($0)" } ?? ""
            return invalid(response, "it redirects\(target), and redirects are not followed", redactor)
        default: return invalid(response, "a success of this operation has status \(successStatus)", redactor)
        }
    }

    private func invalid(_ response: HTTPResponse, _ message: String, _ redactor: Redactor) -> CyclesError {
        let metadata = ResponseMetadata(response)
        return .invalidResponse(
            InvalidResponse(
                operation: "\(name)",
                status: response.status,
                message: redactor.redact(message),
                requestID: redactor.redact(metadata.requestID),
                traceID: redactor.redact(metadata.traceID),
                idempotencyKey: idempotencyKey,
                retryAfter: metadata.retryAfter
            )
        )
    }

    private func errorAnswer(_ response: HTTPResponse, _ redactor: Redactor) -> CyclesError {
        let metadata = ResponseMetadata(response)
        let body = try? ErrorBody(body: response.body)
        let details = body?.details.map(redactor.redact)
        var error = APIError(
            operation: "\(name)",
            status: response.status,
            code: (body?.code).map { ErrorCode(rawValue: redactor.redact($0.rawValue)) },
            message: redactor.redact(body?.message ?? Self.describe(response)),
            requestID: redactor.redact(body?.requestID ?? metadata.requestID),
            traceID: redactor.redact(body?.traceID ?? metadata.traceID),
            details: details?.object ?? [:],
            evidence: redactor.redact(body?.evidence),
            retryAfter: metadata.retryAfter,
            idempotencyKey: idempotencyKey
        )
        let detail = DenyDetail(decoding: details?["deny_detail"])
        if isBudgetRequest, error.status == 409, let reason = ReasonCode(deniedWith: error.code, detail) {
            return .denied(Denial(error, reason: reason, details: details, detail: detail))
        }
        error.advice =
            if let suggestedFix = detail?.suggestedFix {
                suggestedFix
            } else if Self.expectsTLS(response) {
                "the server expects TLS on this port: its URL has to begin with https"
            } else {
                advice(for: error)
            }
        return .api(error)
    }

    /// Describes an error answer whose body is not an error of the protocol.
    private static func describe(_ response: HTTPResponse) -> String {
        if response.body.isEmpty { return "the answer has no body" }
        let type = response.headers["Content-Type"] ?? "no content type"
        // An intermediary sends such bodies; the first words tell which one.
        let start = String(decoding: response.body.prefix(120), as: UTF8.self)
        let printable = String(start.unicodeScalars.map { $0.properties.isWhitespace ? " " : $0 }.map(Character.init))
        return "the answer is not an error of the protocol (\(type), \(response.body.count) bytes: \(printable))"
    }

    /// Whether a server refused a request without TLS on a port that expects TLS.
    private static func expectsTLS(_ response: HTTPResponse) -> Bool {
        guard [400, 426, 497].contains(response.status) else { return false }
        let text = String(decoding: response.body.prefix(1_024), as: UTF8.self).lowercased()
        // The wordings of nginx, Go, Apache and Tomcat.
        return ["https port", "https server", "https scheme", "ssl-enabled server port", "requires tls"].contains {
            text.hasPart($0)
        }
    }

    private func advice(for error: APIError) -> String? {
        switch error.code {
        case .unauthorized: return "check the API key"
        case .forbidden: return "check that the key belongs to the tenant and may do this"
        case .notFound:
            guard error.message.hasPrefix("Budget not found"), let unit else { return nil }
            return "the request was in \(unit); older servers give the same answer for a budget in another unit"
        case .unitMismatch:
            let requested = error.details["requested_unit"]?.string ?? unit?.rawValue ?? "the unit that was sent"
            let expected = error.details["expected_units"]?.array?.compactMap(\.string) ?? []
            if expected.isEmpty { return "the budget is kept in another unit than \(requested)" }
            return "send amounts in \(expected.joined(separator: " or ")) instead of \(requested)"
        case .idempotencyMismatch: return "use a fresh key for another request"
        case let code where !(code?.isOfProtocol ?? false):
            switch error.status {
            case 401: return "check the API key"
            case 403: return "check the API key, and any proxy or gateway between client and server"
            case 404: return "check the base URL, and any proxy or gateway between client and server"
            case 407: return "check the credentials of the proxy"
            default: return nil
            }
        default: return nil
        }
    }
}
