/// The keys of a client, of which the API key may change while it runs, and what follows from them.
package final class Credentials: @unchecked Sendable {
    /// The fields of requests by their method: made once, since they cost as much as a small body.
    private struct Fields {
        var get: HTTPHeaders
        var post: HTTPHeaders
    }

    package let adminAPIKey: Secret?
    package let publicHeaders: HTTPHeaders
    private let mutex = SystemMutex()
    // What follows is touched under the mutex only.
    private var fields: Fields
    private var secrets: [Secret]
    private var currentRedactor: Redactor

    package init(_ configuration: CyclesConfiguration, publicHeaders: HTTPHeaders) {
        adminAPIKey = configuration.adminAPIKey.map(Secret.init)
        self.publicHeaders = publicHeaders
        fields = Credentials.fields(configuration.apiKey, publicHeaders)
        secrets = configuration.secrets.compactMap { $0.map(Secret.init) }
        currentRedactor = Redactor(secrets.map(\.value))
    }

    deinit { mutex.destroy() }

    /// The fields of a request that carries the API key.
    package func headers(for method: HTTPMethod) -> HTTPHeaders {
        mutex.withLock { method == .post ? fields.post : fields.get }
    }

    /// Takes all keys, those of earlier too, out of texts.
    package var redactor: Redactor { mutex.withLock { currentRedactor } }

    /// Uses another API key from now on.
    package func rotate(to apiKey: String) {
        let fields = Credentials.fields(apiKey, publicHeaders)
        mutex.withLock {
            self.fields = fields
            secrets.append(Secret(apiKey))
            currentRedactor = Redactor(secrets.map(\.value))
        }
    }

    private static func fields(_ apiKey: String, _ publicHeaders: HTTPHeaders) -> Fields {
        var get = publicHeaders
        get.append(name: "X-Cycles-API-Key", value: apiKey)
        var post = get
        post.append(name: "Content-Type", value: "application/json")
        return Fields(get: get, post: post)
    }
}

extension Credentials: CustomReflectable {
    /// Nothing: keys must not be seen.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .class) }
}
