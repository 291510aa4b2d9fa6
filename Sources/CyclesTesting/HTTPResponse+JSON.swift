public import Cycles

extension HTTPResponse {
    /// Creates an answer with a JSON body. Adds `Content-Type: application/json` unless the headers have a content
    /// type.
    ///
    /// - Parameters:
    ///   - status: The status code.
    ///   - headers: The header fields.
    ///   - json: The body to send. It is not validated, so that tests can answer with broken JSON.
    public init(status: Int = 200, headers: HTTPHeaders = [:], json: String) {
        var headers = headers
        if headers["Content-Type"] == nil { headers.append(name: "Content-Type", value: "application/json") }
        self.init(status: status, headers: headers, body: Array(json.utf8))
    }
}
