@testable import Cycles

/// Record files of the journal.
enum RecordTarget {
    static func run(_ input: [UInt8]) throws(Finding) {
        guard var record = try? SettlementRecord(parsing: input) else { return }
        try checkRoundTrip(record)
        try checkTimes(record)
        let (key, body) = (SettlementRecord.key(in: record.body.json), record.body.json)
        try require(record.body.idempotencyKey == key, "a record has another key than its body")
        let event = record.eventBody
        if record.becomeEvent() {
            try require(record.mode == .event && record.body.json == event, "the event is not the record's")
            try require(record.commit == .object(body), "the commit was lost")
            try checkRoundTrip(record)
        }
        record.rejection = String(decoding: input.suffix(40), as: UTF8.self)
        try checkRoundTrip(record)
        record.rejection = nil
        try checkRoundTrip(record)
    }

    /// A record that is written and read again is the same record, and its bodies keep their bytes.
    private static func checkRoundTrip(_ record: SettlementRecord) throws(Finding) {
        let file = record.encoded
        let read = try require(try? SettlementRecord(parsing: file), "a written record is refused")
        try require(read.encoded == file, "a written record is not stable")
        try require(read.reservationID == record.reservationID, "the reservation changed")
        try require(read.baseURL.hasSameUTF8(as: record.baseURL), "the base URL changed")
        try require(read.mode == record.mode && read.commit == record.commit, "the commit changed")
        try require(read.body.json == record.body.json && read.eventBody == record.eventBody, "a body changed")
        try require(read.body.idempotencyKey == record.body.idempotencyKey, "the idempotency key changed")
        try require(read.recordedAtMilliseconds == record.recordedAtMilliseconds, "the time changed")
        try require(read.notBeforeMilliseconds == record.notBeforeMilliseconds, "the earliest attempt changed")
        try require(read.unknown == record.unknown && read.rejection == record.rejection, "an unknown member changed")
    }

    /// Times are at least zero, and no wait exceeds its limit.
    private static func checkTimes(_ record: SettlementRecord) throws(Finding) {
        try require(record.recordedAtMilliseconds >= 0, "a record is older than 1970")
        for wall in [0, 1_764_000_000_000, Int64.max] {
            for attempt in [0, 1, 1_764_000_000_000, Int64.max] {
                var record = record
                record.attemptedAtMilliseconds = attempt
                let wait = record.remainingWait(at: wall)
                try require((.zero ... .seconds(3_600)).contains(wait), "a wait of \(wait)")
                for randomness in [0, 0.5, 0.999_999] {
                    let backOff = record.remainingBackOff(at: wall, randomness: randomness)
                    try require((.zero ... .seconds(900)).contains(backOff), "a back-off of \(backOff)")
                }
                _ = record.isOutdatedEvent(at: wall)
            }
        }
    }
}
