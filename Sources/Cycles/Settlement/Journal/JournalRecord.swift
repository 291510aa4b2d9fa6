/// One settlement as it stands on disk, in the form that all clients of the protocol share.
///
/// Bodies are kept as the bytes that they are: the server compares what it gets under one key.
package struct JournalRecord: Hashable, Sendable {
    package static let version: Int64 = 1
    /// The largest file that is read.
    package static let maxBytes = 1_024 * 1_024

    package var reservationID: ReservationID
    /// The base URL as configured. Records of another are left alone.
    package var baseURL: String
    package var mode: SettlementRecord.Mode
    /// The body of the commit, a JSON object.
    package var commitBody: [UInt8]
    /// The body of the event that stands in for it, a JSON object; nil if there is none.
    package var eventBody: [UInt8]?
    package var recordedAtMilliseconds: Int64
    /// Before this the server does not want to be asked.
    package var notBeforeMilliseconds: Int64?
    /// Members that this version does not know: name and value as they stand.
    package var unknown: [UnknownMember] = []

    /// A member that survives a rewrite.
    package struct UnknownMember: Hashable, Sendable {
        package let name: String
        package let value: [UInt8]
    }

    package init(
        reservationID: ReservationID,
        baseURL: String,
        mode: SettlementRecord.Mode,
        commitBody: [UInt8],
        eventBody: [UInt8]?,
        recordedAtMilliseconds: Int64,
        notBeforeMilliseconds: Int64? = nil
    ) {
        self.reservationID = reservationID
        self.baseURL = baseURL
        self.mode = mode
        self.commitBody = commitBody
        self.eventBody = eventBody
        self.recordedAtMilliseconds = recordedAtMilliseconds
        self.notBeforeMilliseconds = notBeforeMilliseconds
    }

    /// Why the server refused it for good; nil if it did not, or nobody wrote it down. A member of this client's own, which
    /// others keep as one that they do not know.
    package var rejection: String? {
        get {
            unknown.first { $0.name == JournalRecord.rejectionName }
                .flatMap { (try? JSONValue(parsing: $0.value))?.string }
        }
        set {
            unknown.removeAll { $0.name == JournalRecord.rejectionName }
            guard let newValue else { return }
            unknown.append(
                UnknownMember(name: JournalRecord.rejectionName, value: JSONValue.string(newValue).encoded)
            )
        }
    }

    private static let rejectionName = "rejection"

    /// The key of a body; nil if it has none.
    package static func key(in body: [UInt8]) -> IdempotencyKey? {
        (try? JSONValue(parsing: body))?["idempotency_key"]?.string.map { IdempotencyKey($0) }
    }

    // MARK: Writing

    /// The file's contents, members in the order that all clients use.
    package var encoded: [UInt8] {
        var writer = JSONWriter(capacity: commitBody.count + (eventBody?.count ?? 0) + 256)
        writer.beginObject()
        writer.member("version", JournalRecord.version)
        writer.member("reservation_id", reservationID.rawValue)
        writer.member("base_url", baseURL)
        writer.member("mode", mode == .commit ? "commit" : "event")
        writer.name("commit_body")
        writer.raw(commitBody)
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
        return writer.bytes
    }

    // MARK: Reading

    /// Why a file is no record that can be used.
    package enum Defect: Error, Hashable, Sendable, CustomStringConvertible {
        case corrupt(String)
        case unsupportedVersion(String)

        package var description: String {
            switch self {
            case .corrupt(let reason): "it is corrupt: \(reason)"
            case .unsupportedVersion(let version): "its version \(version) is not supported"
            }
        }
    }

    /// - Throws: ``Defect``; every other form than the documented one is corrupt.
    package init(parsing contents: [UInt8]) throws(Defect) {
        var draft = Draft()
        do throws(JSONError) {
            try JSONReader.document(contents) { reader throws(JSONError) in try draft.read(from: &reader, contents) }
        } catch {
            throw .corrupt("\(error)")
        }
        self = try draft.record()
    }

    /// Members as they come.
    private struct Draft {
        var version: JSONNumber?
        var reservationID: String?
        var baseURL: String?
        var mode: String?
        var commitBody: [UInt8]?
        var eventBody: [UInt8]?
        var recordedAt: Int64?
        var notBefore: Int64?
        var unknown: [UnknownMember] = []

        mutating func read(from reader: inout JSONReader, _ contents: [UInt8]) throws(JSONError) {
            try reader.beginObject()
            while let name = try reader.nextName() {
                switch name.text {
                case "version": version = try reader.readNumber()
                case "reservation_id": reservationID = try reader.required("reservation_id")
                case "base_url": baseURL = try reader.required("base_url")
                case "mode": mode = try reader.required("mode")
                case "commit_body": commitBody = try object(&reader, contents)
                case "event_fallback_body":
                    eventBody = try reader.readNullIfPresent() ? nil : object(&reader, contents)
                case "recorded_at_ms": recordedAt = try reader.readNonNegative("zero or more milliseconds")
                case "not_before_ms":
                    let isNull = try reader.readNullIfPresent()
                    notBefore = isNull ? nil : try reader.readNonNegative("zero or more milliseconds")
                case let other:
                    let start = reader.valueStart()
                    try reader.skipValue()
                    unknown.append(UnknownMember(name: other, value: Array(contents[start..<reader.offset])))
                }
            }
        }

        private func object(_ reader: inout JSONReader, _ contents: [UInt8]) throws(JSONError) -> [UInt8] {
            let start = reader.valueStart()
            guard reader.peek() == UInt8(ascii: "{") else {
                throw JSONError(reason: .mismatch(expected: "an object"), offset: start)
            }
            try reader.skipValue()
            return Array(contents[start..<reader.offset])
        }

        func record() throws(Defect) -> JournalRecord {
            guard let version else { throw .corrupt("it has no version") }
            guard version.double == Double(JournalRecord.version) else {
                throw .unsupportedVersion(version.digits)
            }
            guard let reservationID, !reservationID.isEmpty else { throw .corrupt("it has no reservation_id") }
            guard let commitBody else { throw .corrupt("it has no commit_body") }
            guard let recordedAt else { throw .corrupt("it has no recorded_at_ms") }
            let mode: SettlementRecord.Mode
            switch self.mode {
            case nil, "commit": mode = .commit
            case "event":
                guard eventBody != nil else { throw .corrupt("it is an event, and has no event_fallback_body") }
                mode = .event
            case let other?: throw .corrupt("its mode is \"\(other)\"")
            }
            var record = JournalRecord(
                reservationID: ReservationID(reservationID),
                baseURL: baseURL ?? "",
                mode: mode,
                commitBody: commitBody,
                eventBody: eventBody,
                recordedAtMilliseconds: recordedAt,
                notBeforeMilliseconds: notBefore
            )
            record.unknown = unknown
            return record
        }
    }
}
