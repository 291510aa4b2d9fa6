/// An HTTP method.
public struct HTTPMethod: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The method as it is sent.
    public let rawValue: String

    /// A method; case matters.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A method; case matters.
    public init(stringLiteral value: String) { rawValue = value }

    /// The GET method.
    public static let get = HTTPMethod(rawValue: "GET")
    /// The POST method.
    public static let post = HTTPMethod(rawValue: "POST")

    /// The method as it is sent.
    public var description: String { rawValue }
}
