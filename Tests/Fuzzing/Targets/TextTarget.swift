@testable import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Values that people and programs write as texts. The first byte of an input chooses the kind of text.
enum TextTarget {
    static func run(_ bytes: [UInt8]) throws(Finding) {
        var input = FuzzInput(bytes)
        switch input.byte() % 8 {
        case 0: try readAmount(input.text)
        case 1: try convertDollars(Array(input.rest))
        case 2: try readPrice(&input)
        case 3: try readTrace(input.text)
        case 4: try readTimestamp(input.text)
        case 5: try escape(input.text)
        case 6: try redact(&input)
        default: try keepSpelling(input.text)
        }
    }

    /// An amount is the number that is written, and its description is the same amount.
    private static func readAmount(_ text: String) throws(Finding) {
        guard let amount = try? Amount(parsing: text) else { return }
        try require(amount.amount >= 0, "\(text) is less than zero")
        try require((try? Amount(parsing: "\(amount)")) == amount, "\(amount) is another amount")
        let number = text.utf8.prefix { $0 != UInt8(ascii: " ") && $0 | 0x20 < UInt8(ascii: "a") }
        let parts = String(Substring(number)).split(separator: ".")
        guard text.utf8.dropFirst(number.count).contains(where: { $0 == UInt8(ascii: "_") || $0 | 0x20 == 0x75 }),
            text.lowercased().hasSuffix("usd")
        else { return try require(Int64(parts[0]) == amount.amount, "\(text) was read as \(amount)") }
        let fraction = parts.count == 2 ? parts[1] : ""
        let places = String(fraction.prefix(8)) + String(repeating: "0", count: max(0, 8 - fraction.count))
        let whole = Int64(parts[0] + places)
        let isRoundedUp = fraction.dropFirst(8).contains { $0 != "0" }
        try require(whole.map { $0 + (isRoundedUp ? 1 : 0) } == amount.amount, "\(text) was read as \(amount)")
    }

    /// Dollars become the nearest microcents above.
    private static func convertDollars(_ bytes: [UInt8]) throws(Finding) {
        let bits = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let dollars = Double(bitPattern: bits)
        let amount = Amount.usd(dollars)
        guard amount.amount != Int64.min else {
            return try require(!(dollars.magnitude < 92_233_720_368), "\(dollars) dollars are refused")
        }
        let difference = (Double(amount.amount) / 1e8 - dollars).magnitude
        try require(difference <= max(1e-8, dollars.magnitude * 1e-15), "\(dollars) dollars became \(amount)")
    }

    /// A price charges nothing for nothing, and never less for more.
    private static func readPrice(_ input: inout FuzzInput) throws(Finding) {
        let tokens = input.number() << 40
        guard let price = try? TokenPrice(input: input.text, output: "0") else { return }
        let (none, some, more) = (price.cost(input: 0), price.cost(input: tokens), price.cost(input: tokens + 1))
        try require(none.amount == 0 && some.amount >= 0 && some.amount <= more.amount, "costs fall")
        try require(price.cost(input: -1).amount == 0, "less than no tokens cost something")
    }

    /// A trace context is written as it was read.
    private static func readTrace(_ text: String) throws(Finding) {
        guard let context = TraceContext(parsing: text) else { return }
        try require(context.description.hasSameUTF8(as: text), "\(text) became \(context)")
    }

    /// A timestamp is the instant that the C library computes, and is read again as the same instant.
    private static func readTimestamp(_ text: String) throws(Finding) {
        guard let instant = InternetTimestamp.parse(text) else { return }
        guard let written = InternetTimestamp.format(milliseconds: instant) else {
            return try require(!InternetTimestamp.range.contains(instant), "\(instant) has no text")
        }
        try require(InternetTimestamp.parse(written) == instant, "\(written) is another instant")
        var seconds = time_t((instant - (instant % 1_000 + 1_000) % 1_000) / 1_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let numbers = [
            Int(parts.tm_year) + 1_900, Int(parts.tm_mon) + 1, Int(parts.tm_mday), Int(parts.tm_hour),
            Int(parts.tm_min),
            Int(parts.tm_sec),
        ]
        let words = written.split { "-T:.Z".contains($0) }.prefix(6).map { Int($0) }
        try require(words == numbers, "\(written) is \(numbers)")
    }

    /// Escaped text has no control characters, and a quoted one is the same text.
    private static func escape(_ text: String) throws(Finding) {
        let escaped = TerminalText(text)
        try require(TerminalText(escaped) == escaped, "escaping twice changes a text")
        for scalar in escaped.description.unicodeScalars {
            try require(scalar.properties.generalCategory != .control, "a control character is left")
        }
        let document = JSONValue.string(text).encoded
        let line = TerminalText(String(decoding: document, as: UTF8.self)).description
        let read = (try? JSONValue(parsing: Array(line.utf8)))?.string
        try require(read?.hasSameUTF8(as: text) ?? false, "an escaped document is another one")
        try require(decoded(PercentEncoding.encode(text)) == Array(text.utf8), "an encoded text is another one")
        let bytes = Array(text.utf8)
        try require(Hexadecimal.bytes(Hexadecimal.text(bytes)) == bytes, "digits are other bytes")
        if let bytes = Hexadecimal.bytes(text) {
            try require(Hexadecimal.text(bytes).hasSameUTF8(as: text), "bytes have other digits")
        }
        try require(text.trimmed.trimmed.hasSameUTF8(as: text.trimmed), "trimming twice changes a text")
        try require(text.isBlank == text.trimmed.isEmpty, "a blank text is not empty")
    }

    private static func decoded(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    /// A redacted text has no secret. The first line holds secrets that a space separates.
    private static func redact(_ input: inout FuzzInput) throws(Finding) {
        let line = input.line() ?? []
        let secrets = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
        let redacted = Redactor(secrets).redact(input.text)
        for secret in secrets where secret.utf8.count >= 4 && !Secret.placeholder.hasPart(secret) {
            // The placeholder may complete a secret that begins or ends like it.
            let isComposed = secret.utf8.contains { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }
            try require(isComposed || !redacted.hasPart(secret), "\(secret) is left")
        }
    }

    /// Values of enumerations and identifiers keep the bytes of their texts.
    private static func keepSpelling(_ text: String) throws(Finding) {
        let spellings = [
            BudgetUnit(rawValue: text).rawValue, Decision(rawValue: text).rawValue, ErrorCode(rawValue: text).rawValue,
            ReasonCode(rawValue: text).rawValue, ReservationStatus(rawValue: text).rawValue,
            EventStatus(rawValue: text).rawValue, CommitOveragePolicy(rawValue: text).rawValue,
            EvidenceArtifact(rawValue: text).rawValue, WebhookEventType(rawValue: text).rawValue,
        ]
        try require(spellings.allSatisfy { $0.hasSameUTF8(as: text) }, "a value has another spelling")
        let document = JSONValue.string(text).encoded
        let read = try? JSONReader.document(document) { reader throws(JSONError) in try BudgetUnit(from: &reader) }
        try require(read?.rawValue.hasSameUTF8(as: text) ?? false, "a value is read with another spelling")
    }
}
