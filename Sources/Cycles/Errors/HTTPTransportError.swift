/// A failed HTTP exchange: no usable answer was received.
public struct HTTPTransportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of a transport failure. Switches over it need `@unknown default`.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The connection could not be established, or broke.
        case connectionFailed
        /// A time limit was exceeded.
        case timedOut
        /// The TLS handshake failed, or a certificate was not accepted.
        case tls
        /// The answer is larger than the configured limit.
        case responseTooLarge
        /// The answer is not valid HTTP.
        case invalidAnswer
        /// The system refused the process a thread, a file descriptor or memory.
        case resourcesExhausted
        /// The caller cancelled the exchange.
        case cancelled
        /// Any other failure; the message describes it.
        case other
    }

    /// The kind of the failure.
    public var kind: Kind
    /// A description of the failed action, the host, the phase and the reason.
    public var message: String
    /// Whether the request was sent: true if it was sent whole, false if none of it was sent, nil if that is not known.
    /// Unless false, the server may have acted on the request.
    public var wasRequestSent: Bool?
    /// The idempotency key of the request. Repeating the request with this key cannot apply it twice.
    public var idempotencyKey: IdempotencyKey?
    /// Whether the message contains advice. The client then adds none.
    package var hasAdvice = false

    /// Creates a transport failure.
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
