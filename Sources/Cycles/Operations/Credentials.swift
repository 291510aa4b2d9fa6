/// The keys of a client, of which the API key may change while it runs, and the header fields made from them.
package final class Credentials: Sendable {
    private struct State {
        // The fields of requests by their method: made once, since they cost as much as a small body.
        var get: HTTPHeaders
        var post: HTTPHeaders
        var secrets: [Secret]
        var redactor: Redactor

        init(_ apiKey: String, _ publicHeaders: HTTPHeaders, _ secrets: [Secret]) {
            get = publicHeaders
            get.append(name: "X-Cycles-API-Key", value: apiKey)
            post = get
            post.append(name: "Content-Type", value: "application/json")
            self.secrets = secrets
            redactor = Redactor(secrets.map(\.value))
        }
    }

    package let adminAPIKey: Secret?
    package let publicHeaders: HTTPHeaders
    private let state: Lock<State>

    package init(_ configuration: CyclesConfiguration, publicHeaders: HTTPHeaders) {
        adminAPIKey = configuration.adminAPIKey.map(Secret.init)
        self.publicHeaders = publicHeaders
        state = Lock(
            State(configuration.apiKey, publicHeaders, configuration.secrets.compactMap { $0.map(Secret.init) })
        )
    }

    /// The fields of a request that carries the API key.
    package func headers(for method: HTTPMethod) -> HTTPHeaders {
        state.withLock { method == .post ? $0.post : $0.get }
    }

    /// Takes all keys, those of earlier too, out of texts.
    package var redactor: Redactor { state.withLock { $0.redactor } }

    /// Uses another API key from now on.
    package func rotate(to apiKey: String) {
        state.withLock { $0 = State(apiKey, publicHeaders, $0.secrets + [Secret(apiKey)]) }
    }
}

extension Credentials: CustomReflectable {
    /// Nothing: keys must not be seen.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .class) }
}
