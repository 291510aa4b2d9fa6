public import Cycles

extension HTTPResponse {
    /// An answer with a JSON body and, unless the fields have one already, `Content-Type: application/json`.
    ///
    /// - Parameter json: the body as it is sent; it is not checked, so that broken JSON can be answered too.
    public init(status: Int = 200, headers: HTTPHeaders = [:], json: String) {
        var headers = headers
        if headers["Content-Type"] == nil { headers.append(name: "Content-Type", value: "application/json") }
        self.init(status: status, headers: headers, body: Array(json.utf8))
    }
}
