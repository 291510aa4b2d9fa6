/// The file format of a record, which all clients of the protocol share.
extension SettlementRecord {
    package static let version: Int64 = 1
    /// The maximum size of a record file, in bytes.
    package static let maxBytes = 1_024 * 1_024

    /// The reason why the server refused the settlement permanently; nil if the server did not refuse it, or if
    /// no reason was recorded. Only this client writes the member. Other clients preserve it as an unknown member.
    package var rejection: String? {
        get {
            unknown.first { $0.name == SettlementRecord.rejectionName }
                .flatMap { (try? JSONValue(parsing: $0.value))?.string }
        }
        set {
            unknown.removeAll { $0.name == SettlementRecord.rejectionName }
            guard let newValue else { return }
            unknown.append(
                UnknownMember(name: SettlementRecord.rejectionName, value: JSONValue.string(newValue).encoded)
            )
        }
    }

    private static let rejectionName = "rejection"

    /// The idempotency key in a body; nil if there is none.
    package static func key(in body: [UInt8]) -> IdempotencyKey? {
        try? JSONReader.document(body, isTolerant: true) { reader throws(JSONError) in
            var key: IdempotencyKey?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == "idempotency_key", reader.peek() == UInt8(ascii: "\"") {
                    key = IdempotencyKey(try reader.readString())
                } else {
                    try reader.skipValue()
                }
            }
            return key
        }
    }

    // MARK: Writing

    /// The file's contents. Members are in the order that all clients use.
    package var encoded: [UInt8] {
        let eventBody = eventBody
        return JSONWriter.bytes(capacity: body.json.count + (eventBody?.count ?? 0) + 256) { writer in
            writer.beginObject()
            writer.member("version", SettlementRecord.version)
            writer.member("reservation_id", reservationID.rawValue)
            writer.member("base_url", baseURL)
            writer.member("mode", mode.rawValue)
            switch commit {
            case .object(let body):
                writer.name("commit_body")
                writer.raw(body)
            case .null:
                writer.name("commit_body")
                writer.null()
            case .absent: break
            }
            writer.name("event_fallback_body")
            if let eventBody { writer.raw(eventBody) } else { writer.null() }
            writer.member("recorded_at_ms", recordedAtMilliseconds)
            writer.name("not_before_ms")
            if let notBeforeMilliseconds { writer.int64(notBeforeMilliseconds) } else { writer.null() }
            for member in unknown {
                writer.name(member.name)
                writer.raw(member.value)
            }
            writer.endObject()
        }
    }

    // MARK: Reading

    /// The reason why a file is not a usable record.
    package enum Defect: Error, Hashable, Sendable, CustomStringConvertible {
        case corrupt(String)
        /// A newer client wrote the record, and can settle it.
        case newerVersion(String)

        package var description: String {
            switch self {
            case .corrupt(let reason): "it is corrupt: \(reason)"
            case .newerVersion(let version):
                "its version \(version) is newer than this client's, \(SettlementRecord.version); a newer client settles it"
            }
        }
    }

    /// Reads every form that clients of the protocol write, even without times or with fractional times.
    /// - Throws: ``Defect`` if the file is not a usable record.
    package init(parsing contents: [UInt8]) throws(Defect) {
        var draft = Draft()
        do throws(JSONError) {
            try JSONReader.document(contents, isTolerant: true) { reader throws(JSONError) in
                try draft.read(from: &reader, contents)
            }
        } catch {
            throw .corrupt("\(error)")
        }
        self = try draft.record()
    }

    /// The members of a file, in the order in which they appear.
    private struct Draft {
        var version: JSONNumber?
        var reservationID: String?
        var baseURL: String?
        var mode: String?
        var commit = CommitMember.absent
        var eventBody: [UInt8]?
        var recordedAt: Int64?
        var notBefore: Int64?
        var unknown: [UnknownMember] = []
        /// The first member of an unexpected type. In a record of a newer version, the type may be valid.
        var mismatch: JSONError?

        mutating func read(from reader: inout JSONReader, _ contents: [UInt8]) throws(JSONError) {
            try reader.beginObject()
            while let name = try reader.nextName() {
                let start = reader
                do throws(JSONError) {
                    try readMember(name.text, from: &reader, contents)
                } catch  where !error.isMalformed {
                    mismatch = mismatch ?? error
                    reader = start
                    try reader.skipValue()
                }
            }
        }

        private mutating func readMember(
            _ name: String,
            from reader: inout JSONReader,
            _ contents: [UInt8]
        ) throws(JSONError) {
            switch name {
            case "version": version = try reader.readNumber("version")
            case "reservation_id": reservationID = try reader.required("reservation_id")
            case "base_url": baseURL = try reader.optional("base_url")
            case "mode": mode = try reader.required("mode")
            case "commit_body":
                let body = try reader.readObject("commit_body", in: contents)
                commit = body.map { .object($0) } ?? .null
            case "event_fallback_body": eventBody = try reader.readObject("event_fallback_body", in: contents)
            case "recorded_at_ms": recordedAt = try reader.readInstant("recorded_at_ms")
            case "not_before_ms": notBefore = try reader.readInstant("not_before_ms")
            default:
                unknown.append(UnknownMember(name: name, value: Array(contents[try reader.skipValue()])))
            }
        }

        func record() throws(Defect) -> SettlementRecord {
            if let version, version.double > Double(SettlementRecord.version) { throw .newerVersion(version.digits) }
            if let mismatch { throw .corrupt("\(mismatch)") }
            guard let version else { throw .corrupt("it has no version") }
            guard version.double == Double(SettlementRecord.version) else {
                throw .corrupt("its version is \(version.digits)")
            }
            guard let reservationID, !reservationID.isEmpty else { throw .corrupt("it has no reservation_id") }
            guard let mode = Mode(rawValue: mode ?? "commit") else {
                throw .corrupt("its mode is \"\(mode ?? "")\"")
            }
            let record = SettlementRecord(
                reservationID: ReservationID(reservationID),
                baseURL: baseURL ?? "",
                mode: mode,
                commit: commit,
                event: eventBody,
                recordedAtMilliseconds: recordedAt ?? 0
            )
            guard var record else {
                let missing = mode == .commit ? "commit_body" : "event_fallback_body"
                throw .corrupt("its mode is \(mode), and it has no \(missing)")
            }
            record.notBeforeMilliseconds = notBefore
            record.unknown = unknown
            return record
        }
    }
}

extension JSONReader {
    fileprivate mutating func readNumber(_ name: StaticString) throws(JSONError) -> JSONNumber {
        guard let first = peek(), first == UInt8(ascii: "-") || first &- 0x30 < 10 else {
            throw JSONError(reason: .mismatch(expected: "a number"), offset: position).inside("\(name)")
        }
        return try readNumber()
    }

    /// Reads the bytes of an object; nil for `null`.
    fileprivate mutating func readObject(_ name: StaticString, in contents: [UInt8]) throws(JSONError) -> [UInt8]? {
        if try readNullIfPresent() { return nil }
        guard peek() == UInt8(ascii: "{") else {
            throw JSONError(reason: .mismatch(expected: "an object"), offset: position).inside("\(name)")
        }
        return Array(contents[try skipValue()])
    }

    /// Reads milliseconds since 1970, rounded down and at most `Int64.max`, because other clients write floating-point
    /// or unsigned numbers. Nil for `null`.
    fileprivate mutating func readInstant(_ name: StaticString) throws(JSONError) -> Int64? {
        if try readNullIfPresent() { return nil }
        let number = try readNumber(name)
        if let exact = number.int64, exact >= 0 { return exact }
        guard number.double >= 0 else {
            throw JSONError(reason: .mismatch(expected: "zero or more milliseconds"), offset: position).inside(
                "\(name)"
            )
        }
        return Int64(exactly: number.double.rounded(.down)) ?? .max
    }
}
