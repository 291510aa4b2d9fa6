/// The body of an error answer (specification: `ErrorResponse`). Read leniently: an error with a malformed body is
/// still an error.
package struct ErrorBody: WireObjectDecodable, ResponseDecodable {
    package var code: ErrorCode?
    package var message: String?
    package var requestID: String?
    package var traceID: String?
    package var details: JSONValue?
    package var evidence: EvidenceReference?

    package init(_ object: borrowing WireObject) throws(JSONError) {
        code = object.informational("error")
        message = object.informational("message")
        requestID = object.informational("request_id")
        traceID = object.informational("trace_id")
        details = object.informational("details")
        evidence = object.informational("cycles_evidence")
    }
}

extension ErrorCode {
    /// Whether the text has the form of the protocol's codes, such as `NOT_FOUND`. Other texts, such as `Not Found`,
    /// come from proxies and gateways.
    package var isOfProtocol: Bool {
        guard case .unrecognized(let text) = self else { return true }
        return ("A"..."Z").contains(text.unicodeScalars.first ?? " ")
            && text.unicodeScalars.allSatisfy { ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "_" }
    }
}
