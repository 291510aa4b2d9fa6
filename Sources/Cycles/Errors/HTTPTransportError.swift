/// Why an HTTP exchange brought no answer.
public struct HTTPTransportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of a failure. Switches over it need `@unknown default`.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// No connection came about, or it broke.
        case connectionFailed
        /// A time limit ran out.
        case timedOut
        /// The peers did not agree on TLS, or a certificate was not accepted.
        case tls
        /// The answer is larger than the configured limit.
        case responseTooLarge
        /// The answer is not valid HTTP.
        case invalidAnswer
        /// The system gives the process no further thread, file descriptor or memory.
        case resourcesExhausted
        /// The caller gave up.
        case cancelled
        /// Any other failure; the message describes it.
        case other
    }

    /// The kind of the failure.
    public var kind: Kind
    /// What failed, on which host, in which phase, and why.
    public var message: String
    /// Whether the request left for the server: true if it went out whole, false if none of it did, nil if that is
    /// not known. Unless false, the server may have acted on it.
    public var wasRequestSent: Bool?
    /// The idempotency key that the request carried, with which it can be repeated safely.
    public var idempotencyKey: IdempotencyKey?
    /// Whether the message says what to do about the failure; the client adds nothing then.
    package var hasAdvice = false

    /// A failure.
    public init(
        kind: Kind,
        message: String,
        wasRequestSent: Bool? = nil,
        idempotencyKey: IdempotencyKey? = nil
    ) {
        self.kind = kind
        self.message = message
        self.wasRequestSent = wasRequestSent
        self.idempotencyKey = idempotencyKey
    }

    /// The message, and whether the request was sent.
    public var description: String {
        switch wasRequestSent {
        case .some(true): "\(message) (the request was sent: the server may have acted on it)"
        case .some(false): "\(message) (the request was not sent)"
        case .none: "\(message) (it is not known whether the request was sent)"
        }
    }
}
