/// The body of an error answer (specification: `ErrorResponse`), read as far as it makes sense: an error that cannot
/// be read is still an error.
package struct ErrorBody: Sendable {
    package var code: ErrorCode?
    package var message: String?
    package var requestID: String?
    package var traceID: String?
    package var details: JSONValue?
    package var evidence: EvidenceReference?

    /// Nil if the body is no JSON object.
    package init?(body: [UInt8]) {
        let result = try? JSONReader.document(body) { reader throws(JSONError) in
            try ErrorBody(from: &reader)
        }
        guard let result else { return nil }
        self = result
    }

    private init(from reader: inout JSONReader) throws(JSONError) {
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "error" {
                code = try reader.informational()
            } else if name == "message" {
                message = try reader.informational()
            } else if name == "request_id" {
                requestID = try reader.informational()
            } else if name == "trace_id" {
                traceID = try reader.informational()
            } else if name == "details" {
                details = try reader.informational()
            } else if name == "cycles_evidence" {
                evidence = try reader.informational()
            } else {
                try reader.skipValue()
            }
        }
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
