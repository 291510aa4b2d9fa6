/// An identifier of the protocol: an opaque text.
///
/// Identifiers compare and hash by their UTF-8 bytes. Two texts that Unicode regards as equivalent but whose bytes
/// differ are different identifiers, as they are to the server. Each kind of identifier has a type of its own, so that
/// identifiers of different kinds cannot be confused.
public protocol _CyclesIdentifier: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral,
    CustomStringConvertible
where RawValue == String {
    /// Wraps a text without checking it. The operation that sends the identifier checks its limits.
    init(_ rawValue: String)
}

extension _CyclesIdentifier {
    /// Wraps a text without checking it.
    public init(rawValue: String) { self.init(rawValue) }

    /// Wraps a literal without checking it.
    public init(stringLiteral value: String) { self.init(value) }

    /// The text of the identifier.
    public var description: String { rawValue }

    /// Whether both identifiers have the same UTF-8 bytes.
    public static func == (left: Self, right: Self) -> Bool {
        left.rawValue.hasSameUTF8(as: right.rawValue)
    }

    /// Hashes the UTF-8 bytes.
    public func hash(into hasher: inout Hasher) { rawValue.hashUTF8(into: &hasher) }
}

/// The identifier of a reservation. Assigned by the server, 1 to 128 characters (specification: parameter
/// `ReservationId`).
public struct ReservationID: _CyclesIdentifier {
    /// The text as assigned by the server.
    public let rawValue: String
    /// Wraps a text without checking it. Operations accept 1 to 128 Unicode scalars.
    public init(_ rawValue: String) { self.rawValue = rawValue }
}

/// The identifier of an event. Assigned by the server (specification: `EventCreateResponse.event_id`).
public struct EventID: _CyclesIdentifier {
    /// The text as assigned by the server.
    public let rawValue: String
    /// Wraps a text without checking it.
    public init(_ rawValue: String) { self.rawValue = rawValue }
}

/// The SHA-256 content hash of an evidence envelope: 64 lower-case hexadecimal digits (specification: `EvidenceId`).
public struct EvidenceID: _CyclesIdentifier {
    /// The 64 hexadecimal digits.
    public let rawValue: String
    /// Wraps a text without checking it. Operations refuse anything but 64 lower-case hexadecimal digits.
    public init(_ rawValue: String) { self.rawValue = rawValue }
}

/// A key that makes a request safe to repeat: the server applies each key once (specification: IDEMPOTENCY).
///
/// A key has 1 to 256 Unicode scalars, without CR, LF and NUL.
public struct IdempotencyKey: _CyclesIdentifier {
    /// The text as sent.
    public let rawValue: String
    /// Wraps a text without checking it.
    public init(_ rawValue: String) { self.rawValue = rawValue }

    /// Generates a new key: a random UUID (version 4) in lower case.
    public static func random() -> IdempotencyKey {
        let (high, low) = SystemRandomness.words()
        return random(high, low)
    }

    /// Makes the UUID of 128 random bits.
    package static func random(_ high: UInt64, _ low: UInt64) -> IdempotencyKey {
        let high = high & 0xffff_ffff_ffff_0fff | 0x4000
        let low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        let text = String(unsafeUninitializedCapacity: 36) { buffer in
            var rest = high
            for position in 0..<36 {
                if position == 8 || position == 13 || position == 18 || position == 23 {
                    buffer[position] = UInt8(ascii: "-")
                    if position == 18 { rest = low }
                } else {
                    let digit = UInt8(truncatingIfNeeded: rest >> 60)
                    buffer[position] = digit &+ (digit < 10 ? 0x30 : 0x57)
                    rest <<= 4
                }
            }
            return 36
        }
        return IdempotencyKey(text)
    }
}
