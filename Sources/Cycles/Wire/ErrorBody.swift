/// The body of an error answer (specification: `ErrorResponse`), read as far as it makes sense: an error that cannot
/// be read is still an error.
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
    /// Whether the text has the form of the protocol's codes, such as `NOT_FOUND`. Other texts, such as `Not Found`, are
    /// written by what stands between client and server.
    package var isOfProtocol: Bool {
        guard case .unrecognized(let text) = self else { return true }
        guard let first = text.utf8.first, UInt8(ascii: "A")...UInt8(ascii: "Z") ~= first else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
