/// Verifies that webhook deliveries come from a server that has the subscription's secret (specification: WEBHOOK EVENT
/// GUIDANCE, signature verification).
///
/// ```swift
/// let verifier = WebhookVerifier(secret: secret)
/// let event = try verifier.event(signature: request.headers["X-Cycles-Signature"], body: body)
/// ```
///
/// The signature has no time in it, so that a recorded delivery verifies again: refuse an event whose id was handled before.
public struct WebhookVerifier: Sendable {
    /// Nil for an empty secret, with which everybody could sign.
    private let function: HMACSHA256?

    private static let prefix = "sha256="

    /// Creates a verifier.
    /// - Parameter secret: The signing secret of the subscription, used as its UTF-8 bytes. With an empty secret, such as
    ///   an unset variable leaves, no delivery is valid.
    public init(secret: String) {
        function = secret.isEmpty ? nil : HMACSHA256(key: Array(secret.utf8))
    }

    /// Whether a signature belongs to a body. The time that the comparison takes does not depend on the signature.
    /// - Parameters:
    ///   - signature: The value of the header `X-Cycles-Signature`: `sha256=` and 64 lower-case hexadecimal digits. Nil
    ///     and every other text are not valid.
    ///   - body: The body as it was received, before any decoding.
    public func isValid(signature: String?, body: [UInt8]) -> Bool {
        guard let function, let signature else { return false }
        let expected = Array((WebhookVerifier.prefix + Hexadecimal.text(function.code(body))).utf8)
        let given = Array(signature.utf8)
        guard given.count == expected.count else { return false }
        // All bytes are compared, so that the time does not tell how many are right.
        return zip(given, expected).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Reads the event of a delivery, after its signature was verified.
    /// - Parameters:
    ///   - signature: The value of the header `X-Cycles-Signature`.
    ///   - body: The body as it was received.
    /// - Throws: ``CyclesError/validation(_:)`` whose field is `X-Cycles-Signature` if the signature is not valid, and
    ///   `body` if a signed body is no event. Unknown types and members are accepted.
    public func event(signature: String?, body: [UInt8]) throws(CyclesError) -> WebhookEvent {
        guard isValid(signature: signature, body: body) else {
            throw WebhookVerifier.refusal(
                "X-Cycles-Signature",
                signature == nil
                    ? "is missing; accept deliveries with a signature only"
                    : "does not belong to the body; check the secret, and pass the body as it was received"
            )
        }
        do throws(JSONError) {
            return try WebhookEvent(body: body)
        } catch {
            throw WebhookVerifier.refusal("body", "is signed but no event: \(error)")
        }
    }

    private static func refusal(_ field: String, _ message: String) -> CyclesError {
        var issue = ValidationIssue(field: field, message: message)
        issue.wasSent = true
        return .validation(issue)
    }
}

extension WebhookVerifier: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The type, without the secret.
    public var description: String { "WebhookVerifier(\(Secret.placeholder))" }

    /// The type, without the secret.
    public var debugDescription: String { description }

    /// Nothing, since the state of the function can sign.
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
