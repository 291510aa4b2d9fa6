/// An HTTP method.
public struct HTTPMethod: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The method as sent, such as `GET`.
    public let rawValue: String

    /// Creates a method. Methods are case-sensitive.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Creates a method. Methods are case-sensitive.
    public init(stringLiteral value: String) { rawValue = value }

    /// The GET method.
    public static let get = HTTPMethod(rawValue: "GET")
    /// The POST method.
    public static let post = HTTPMethod(rawValue: "POST")

    /// The method as sent.
    public var description: String { rawValue }
}
