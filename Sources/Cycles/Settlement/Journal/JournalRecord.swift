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
    /// The member `commit_body`.
    package private(set) var commit: CommitBody
    /// The body of the event that stands in for the commit, a JSON object; nil if there is none.
    package var eventBody: [UInt8]?
    package var recordedAtMilliseconds: Int64
    /// The time before which the server does not want to be asked, in milliseconds since 1970.
    package var notBeforeMilliseconds: Int64?
    /// The time since its file was changed, below zero if that lies in the future; nil for a record of this process.
    package var age: Duration?
    /// Members that this version does not know: name and value as they stand.
    package var unknown: [UnknownMember] = []

    /// The member `commit_body` as it stands: other clients leave it out of an event's record or write `null`.
    package enum CommitBody: Hashable, Sendable {
        case object([UInt8])
        case null
        case absent
    }

    /// The body of the commit, a JSON object; nil if there is none, as is possible in event mode only.
    package var commitBody: [UInt8]? { if case .object(let body) = commit { body } else { nil } }

    /// A member that survives a rewrite.
    package struct UnknownMember: Hashable, Sendable {
        package let name: String
        package let value: [UInt8]
    }

    package init(
        reservationID: ReservationID,
        baseURL: String,
        mode: SettlementRecord.Mode,
        commit: CommitBody,
        eventBody: [UInt8]?,
        recordedAtMilliseconds: Int64,
        notBeforeMilliseconds: Int64? = nil
    ) {
        self.reservationID = reservationID
        self.baseURL = baseURL
        self.mode = mode
        self.commit = commit
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

    /// The body that is sent in the record's mode.
    package var body: [UInt8]? { mode == .commit ? commitBody : eventBody }

    /// The idempotency key of a body; nil if it has none.
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

    /// How long the server does not want to be asked from now on.
    ///
    /// A server is believed for an hour from the time of the file, so that restarts do not prolong the wait. A file whose
    /// time lies in the future was written by a clock that was wrong: the hour counts from the time of the record, and the
    /// wait is measured by that clock.
    /// - Parameter wall: The time now, in milliseconds since 1970.
    package func remainingWait(at wall: Int64) -> Duration {
        guard let notBeforeMilliseconds else { return .zero }
        let age = (age ?? .zero).wholeMilliseconds
        let written = age >= 0 ? wall.saturatingSubtracting(age) : recordedAtMilliseconds
        let limit = RetryDelays.longestFloor.wholeMilliseconds
        let end = min(notBeforeMilliseconds, written.saturatingAdding(limit))
        return .milliseconds(max(0, end.saturatingSubtracting(max(wall, written))))
    }

    // MARK: Writing

    /// The file's contents, members in the order that all clients use.
    package var encoded: [UInt8] {
        var writer = JSONWriter(capacity: (commitBody?.count ?? 0) + (eventBody?.count ?? 0) + 256)
        writer.beginObject()
        writer.member("version", JournalRecord.version)
        writer.member("reservation_id", reservationID.rawValue)
        writer.member("base_url", baseURL)
        writer.member("mode", mode == .commit ? "commit" : "event")
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
        return writer.bytes
    }

    // MARK: Reading

    /// Why a file is no record that can be used.
    package enum Defect: Error, Hashable, Sendable, CustomStringConvertible {
        case corrupt(String)
        /// A newer client wrote it, and can settle it.
        case newerVersion(String)

        package var description: String {
            switch self {
            case .corrupt(let reason): "it is corrupt: \(reason)"
            case .newerVersion(let version):
                "its version \(version) is newer than this client's, \(JournalRecord.version); a newer client settles it"
            }
        }
    }

    /// Reads every form that the clients of the protocol write, times that are missing or no whole numbers included.
    /// - Throws: ``Defect``.
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

    /// The members of a file, in the order of their coming.
    private struct Draft {
        var version: JSONNumber?
        var reservationID: String?
        var baseURL: String?
        var mode: String?
        var commit = CommitBody.absent
        var eventBody: [UInt8]?
        var recordedAt: Int64?
        var notBefore: Int64?
        var unknown: [UnknownMember] = []
        /// The first member of another type than expected. A newer version may have good reason for it.
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
                let start = reader.valueStart()
                try reader.skipValue()
                unknown.append(UnknownMember(name: name, value: Array(contents[start..<reader.offset])))
            }
        }

        func record() throws(Defect) -> JournalRecord {
            if let version, version.double > Double(JournalRecord.version) { throw .newerVersion(version.digits) }
            if let mismatch { throw .corrupt("\(mismatch)") }
            guard let version else { throw .corrupt("it has no version") }
            guard version.double == Double(JournalRecord.version) else {
                throw .corrupt("its version is \(version.digits)")
            }
            guard let reservationID, !reservationID.isEmpty else { throw .corrupt("it has no reservation_id") }
            let mode: SettlementRecord.Mode
            switch self.mode {
            case nil, "commit":
                guard case .object = commit else { throw .corrupt("it has no commit_body") }
                mode = .commit
            case "event":
                guard eventBody != nil else { throw .corrupt("it is an event, and has no event_fallback_body") }
                mode = .event
            case let other?: throw .corrupt("its mode is \"\(other)\"")
            }
            var record = JournalRecord(
                reservationID: ReservationID(reservationID),
                baseURL: baseURL ?? "",
                mode: mode,
                commit: commit,
                eventBody: eventBody,
                recordedAtMilliseconds: recordedAt ?? 0,
                notBeforeMilliseconds: notBefore
            )
            record.unknown = unknown
            return record
        }
    }
}

extension JSONReader {
    fileprivate mutating func readNumber(_ name: StaticString) throws(JSONError) -> JSONNumber {
        guard let first = peek(), first == UInt8(ascii: "-") || first &- 0x30 < 10 else {
            throw JSONError(reason: .mismatch(expected: "a number"), offset: offset).inside(name)
        }
        return try readNumber()
    }

    /// The bytes of an object; nil for `null`.
    fileprivate mutating func readObject(_ name: StaticString, in contents: [UInt8]) throws(JSONError) -> [UInt8]? {
        if try readNullIfPresent() { return nil }
        let start = valueStart()
        guard peek() == UInt8(ascii: "{") else {
            throw JSONError(reason: .mismatch(expected: "an object"), offset: start).inside(name)
        }
        try skipValue()
        return Array(contents[start..<offset])
    }

    /// Milliseconds since 1970, rounded down and at most `Int64.max`: other clients count in floating point, or without
    /// a sign. Nil for `null`.
    fileprivate mutating func readInstant(_ name: StaticString) throws(JSONError) -> Int64? {
        if try readNullIfPresent() { return nil }
        let number = try readNumber(name)
        if let exact = number.int64, exact >= 0 { return exact }
        guard number.double >= 0 else {
            throw JSONError(reason: .mismatch(expected: "zero or more milliseconds"), offset: offset).inside(name)
        }
        return Int64(exactly: number.double.rounded(.down)) ?? .max
    }
}
