/// The keys of a client and the header fields made from them. The API key may be replaced while the client runs.
///
/// Clients that were scoped without a key of their own share the object.
package final class Credentials: Sendable {
    private struct State {
        let apiKey: Secret
        // The header fields of requests by method: made once, since they cost as much as a small body.
        var get: HTTPHeaders
        var post: HTTPHeaders
        var secrets: [Secret]
        var redactor: Redactor
        /// The number of replacements of the API key.
        var generation: Int

        init(_ apiKey: String, _ publicHeaders: HTTPHeaders, _ secrets: [Secret], generation: Int) {
            self.apiKey = Secret(apiKey)
            get = publicHeaders
            get.append(name: "X-Cycles-API-Key", value: apiKey)
            post = get
            post.append(name: "Content-Type", value: "application/json")
            self.secrets = secrets
            redactor = Redactor(secrets.map(\.value))
            self.generation = generation
        }
    }

    package let adminAPIKey: Secret?
    package let publicHeaders: HTTPHeaders
    private let state: Lock<State>

    package init(_ configuration: CyclesConfiguration, publicHeaders: HTTPHeaders) {
        adminAPIKey = configuration.adminAPIKey.map(Secret.init)
        self.publicHeaders = publicHeaders
        let secrets = configuration.secrets.compactMap { $0.map(Secret.init) }
        state = Lock(State(configuration.apiKey, publicHeaders, secrets, generation: 0))
    }

    /// The present API key, and the number of replacements before it.
    package var current: (apiKey: Secret, generation: Int) { state.withLock { ($0.apiKey, $0.generation) } }

    /// The number of replacements of the API key.
    package var generation: Int { state.withLock { $0.generation } }

    /// Returns the header fields of a request that carries the API key.
    /// - Throws: ``CyclesError/configuration(_:)`` if there is none.
    package func headers(for method: HTTPMethod) throws(CyclesError) -> HTTPHeaders {
        let headers = state.withLock { state in
            state.apiKey.value.isEmpty ? nil : method == .post ? state.post : state.get
        }
        guard let headers else { throw Credentials.missingKey }
        return headers
    }

    package static var missingKey: CyclesError {
        .configuration(
            ConfigurationIssue(
                name: "apiKey",
                message:
                    "is missing: this client has no key; use a client that was scoped with one, or call updateAPIKey"
            )
        )
    }

    /// Removes all keys, including replaced ones, from texts.
    package var redactor: Redactor { state.withLock { $0.redactor } }

    /// Replaces the API key for all further requests.
    package func rotate(to apiKey: String) {
        state.withLock { state in
            let secrets = state.secrets + [Secret(apiKey)]
            state = State(apiKey, publicHeaders, secrets, generation: state.generation + 1)
        }
    }
}

extension Credentials: CustomReflectable {
    /// Empty, since keys must not be shown.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .class) }
}
