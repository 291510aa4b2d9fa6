import Foundation
import Testing

@testable import Cycles

@Suite struct SettlementRecordTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// The contents of a record that was written and read.
    private func rewritten(_ record: SettlementRecord) throws -> String {
        text(try SettlementRecord(parsing: record.encoded).encoded)
    }

    private func parsed(_ text: String) -> Result<SettlementRecord, SettlementRecord.Defect> {
        Result { () throws(SettlementRecord.Defect) in try SettlementRecord(parsing: Array(text.utf8)) }
    }

    @Test func aRecordHasTheDocumentedShape() throws {
        func record(_ mode: SettlementRecord.Mode, event: [UInt8]?) throws -> SettlementRecord {
            try #require(
                SettlementRecord(
                    reservationID: "rsv_1",
                    baseURL: "http://localhost:7878/",
                    mode: mode,
                    commit: .object(Array(#"{"idempotency_key":"k","actual":{"unit":"TOKENS","amount":5}}"#.utf8)),
                    event: event,
                    recordedAtMilliseconds: 1_700_000_000_000
                )
            )
        }
        let commit = try record(.commit, event: nil)
        #expect(
            text(commit.encoded)
                == #"{"version":1,"reservation_id":"rsv_1","base_url":"http://localhost:7878/","mode":"commit","#
                + #""commit_body":{"idempotency_key":"k","actual":{"unit":"TOKENS","amount":5}},"#
                + #""event_fallback_body":null,"recorded_at_ms":1700000000000,"not_before_ms":null}"#
        )
        #expect(commit.body.idempotencyKey == "k")
        var event = try record(.event, event: Array(#"{"x":1.50}"#.utf8))
        event.notBeforeMilliseconds = 7
        #expect(text(event.encoded).contains(#""mode":"event","commit_body":{"idempotency_key":"k","actual""#))
        #expect(text(event.encoded).contains(#""event_fallback_body":{"x":1.50},"recorded_at_ms""#))
        #expect(text(event.encoded).hasSuffix(#""not_before_ms":7}"#))
        for record in [commit, event] { #expect(try rewritten(record) == text(record.encoded)) }
    }

    @Test func bodiesAndUnknownMembersSurviveAsTheyStand() throws {
        let contents =
            #"{ "version" : 1, "later": {"b" : [1, 2.0 ]}, "reservation_id":"r","#
            + #""commit_body": { "idempotency_key" : "k\u00e9", "n": 1.0e2 } ,"recorded_at_ms":0, "more":null}"#
        let record = try parsed(contents).get()
        #expect(record.baseURL == "" && record.mode == .commit && record.eventBody == nil)
        let body = try #require(record.commitBody)
        #expect(text(body) == #"{ "idempotency_key" : "k\u00e9", "n": 1.0e2 }"#)
        #expect(record.body.idempotencyKey == "ké")
        var rewritten = record
        rewritten.notBeforeMilliseconds = 9
        #expect(text(rewritten.encoded).contains(#""commit_body":{ "idempotency_key" : "k\u00e9", "n": 1.0e2 }"#))
        #expect(text(rewritten.encoded).hasSuffix(#""not_before_ms":9,"later":{"b" : [1, 2.0 ]},"more":null}"#))
    }

    @Test(arguments: [
        "", "[]", "{", #"{"version":1}"#, #"{"version":1,"reservation_id":"","commit_body":{},"recorded_at_ms":0}"#,
        #"{"version":1,"reservation_id":5,"commit_body":{},"recorded_at_ms":0}"#,
        #"{"version":1,"reservation_id":"r","commit_body":[],"recorded_at_ms":0}"#,
        #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":-1}"#,
        #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":"0"}"#,
        #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":0,"mode":"other"}"#,
        #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":0,"mode":"event"}"#,
        #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":0,"event_fallback_body":1}"#,
        #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":0,"not_before_ms":-5}"#,
        #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":0,"base_url":1}"#,
        #"{"version":"1","reservation_id":"r","commit_body":{},"recorded_at_ms":0}"#,
        #"{"reservation_id":"r","commit_body":{},"recorded_at_ms":0}"#,
    ])
    func everyOtherFormIsCorrupt(contents: String) {
        guard case .failure(.corrupt) = parsed(contents) else {
            Issue.record("\(parsed(contents))")
            return
        }
    }

    @Test(arguments: [
        #"{"version":2,"reservation_id":"r","commit_body":{},"recorded_at_ms":0}"#, #"{"version":2}"#,
        // Members that changed their types.
        #"{"reservation_id":{"id":"r"},"commit_body":[1],"recorded_at_ms":"2026-01-01","mode":null,"version":2}"#,
    ])
    func aNewerVersionIsNotCorrupt(contents: String) {
        guard case .failure(.newerVersion("2")) = parsed(contents) else {
            Issue.record("\(parsed(contents))")
            return
        }
    }

    // MARK: Records of other clients

    private let body = #"{"idempotency_key":"k"}"#

    @Test(arguments: [#""commit_body":null,"#, "", #""commit_body":{"idempotency_key":"old"},"#])
    func anEventNeedsNoCommit(member: String) throws {
        let contents =
            #"{"version":1,"reservation_id":"r","base_url":"b","mode":"event",\#(member)"event_fallback_body":"#
            + #"{"idempotency_key":"k"},"recorded_at_ms":5,"not_before_ms":null}"#
        let record = try parsed(contents).get()
        #expect(record.mode == .event && text(record.body.json) == body)
        #expect(record.body.idempotencyKey == "k")
        // Written back as it was, here and with a time to wait for.
        #expect(text(record.encoded) == contents)
        var waiting = record
        waiting.notBeforeMilliseconds = 9
        #expect(
            text(waiting.encoded)
                == contents.replacingOccurrences(of: #""not_before_ms":null"#, with: #""not_before_ms":9"#)
        )
    }

    @Test(
        arguments: [
            ("", 0), (#","recorded_at_ms":null"#, 0), (#","recorded_at_ms":1.7e3"#, 1_700),
            (#","recorded_at_ms":1700.75"#, 1_700), (#","recorded_at_ms":18446744073709551615"#, .max),
            (#","recorded_at_ms":1e999"#, .max),
        ] as [(String, Int64)]
    )
    func timesAreReadHoweverTheyAreWritten(member: String, expected: Int64) throws {
        let record = try parsed(#"{"version":1.0,"reservation_id":"r","commit_body":{}\#(member)}"#).get()
        #expect(record.recordedAtMilliseconds == expected)
        let later = member.replacingOccurrences(of: "recorded_at_ms", with: "not_before_ms")
        let waiting = try parsed(#"{"version":1,"reservation_id":"r","commit_body":{}\#(later)}"#).get()
        #expect(waiting.notBeforeMilliseconds ?? 0 == expected)
    }

    @Test(arguments: [
        // JavaScript writes surrogates as they are in its strings.
        #"{"idempotency_key":"k","metadata":{"prompt":"cut \ud83d"}}"#,
        #"{"metadata":{"\udc00":1},"idempotency_key":"k"}"#,
        #"{"idempotency_key":"k","metadata":\#(String(repeating: "[", count: 400))\#(String(repeating: "]", count: 400))}"#,
        #"{"idempotency_key":"k","n":-1.5E+300,"big":123456789012345678901234567890}"#,
    ])
    func bodiesAreKeptWhateverIsInThem(body: String) throws {
        let record = try parsed(#"{"version":1,"reservation_id":"r","commit_body":\#(body)}"#).get()
        #expect(record.commitBody.map(text) == body && record.body.idempotencyKey == "k")
        #expect(try rewritten(record) == text(record.encoded))
    }

    @Test func theDeepestMetadataThatCanBeSentCanBeReadBack() throws {
        var value = JSONValue.array([])
        for _ in 0..<(JSONValue.maximumDepth - 3) { value = .array([value]) }
        let commit = CommitRequest(actual: .tokens(1), metadata: ["deep": value])
        let record = SettlementRecord(
            reservationID: "r",
            baseURL: "",
            idempotencyKey: "k",
            commit: commit,
            subject: Subject(tenant: "acme"),
            action: Action(kind: "a", name: "b"),
            recordedAtMilliseconds: 0
        )
        #expect(try rewritten(record) == text(record.encoded))
    }

    // MARK: How long a server is believed

    /// Milliseconds, all of them: the time now, that of the record, the age of its file, until when the server asked to
    /// wait, and how long that still is.
    @Test(
        arguments: [
            (10_000_000, 0, 0, nil, 0), (10_000_000, 0, 0, 9_999_999, 0), (10_000_000, 0, 0, 10_060_000, 60_000),
            // An hour from the time of the file, however often it is looked at.
            (10_000_000, 0, 0, 99_000_000_000, 3_600_000), (10_000_000, 0, 600_000, 99_000_000_000, 3_000_000),
            (10_000_000, 0, 3_600_000, 99_000_000_000, 0), (10_000_000, 0, 99_000_000, .max, 0),
            // A file from the future: the hour counts from the record.
            (10_000_000, 9_000_000, -5_000, 99_000_000_000, 2_600_000), (10_000_000, 0, -5_000, 99_000_000_000, 0),
            // A record from the future, too: its own clock says how long.
            (10_000_000, 50_000_000, -40_000_000, 50_060_000, 60_000),
            (10_000_000, 50_000_000, -40_000_000, .max, 3_600_000),
        ] as [(Int64, Int64, Int64, Int64?, Int64)]
    )
    func aServerIsBelievedForAnHourFromTheTimeOfTheFile(
        now: Int64,
        recordedAt: Int64,
        age: Int64,
        notBefore: Int64?,
        expected: Int64
    ) throws {
        var record = try #require(
            SettlementRecord(
                reservationID: "r",
                baseURL: "",
                mode: .commit,
                commit: .object([]),
                event: nil,
                recordedAtMilliseconds: recordedAt
            )
        )
        record.notBeforeMilliseconds = notBefore
        record.attemptedAtMilliseconds = now - age
        #expect(record.remainingWait(at: now) == .milliseconds(expected))
    }

    // MARK: Attempts of several processes

    /// Milliseconds, all of them: the time now, that of the record, that of the last attempt, the random number, and the
    /// time to wait.
    @Test(
        arguments: [
            // It was never attempted.
            (10_000_000, 0, 0, 0.5, 0),
            // As long as the settlement takes already, though five seconds at least and 15 minutes at most.
            (10_000_000, 9_900_000, 10_000_000, 0.5, 100_000), (10_000_000, 9_900_000, 9_970_000, 0.5, 40_000),
            (10_000_000, 10_000_000, 10_000_000, 0.5, 5_000), (10_000_000, 0, 10_000_000, 0.5, 900_000),
            (10_000_000, 0, 9_100_000, 0.5, 0), (10_000_000, 99_000_000, 9_999_000, 0.5, 4_000),
            // A fifth more or less, and never more than 15 minutes from now.
            (10_000_000, 9_900_000, 10_000_000, 0, 80_000), (10_000_000, 9_900_000, 10_000_000, 0.75, 110_000),
            (10_000_000, 0, 10_000_000, 0.75, 900_000),
            // The future counts as now.
            (10_000_000, 9_900_000, 99_000_000, 0.5, 100_000), (10_000_000, 9_900_000, .max, 0.5, 100_000),
            (10_000_000, .max, .max, 0.5, 5_000), (10_000_000, 0, .min, 0.5, 0),
        ] as [(Int64, Int64, Int64, Double, Int64)]
    )
    func aRecordIsDueByItsLastAttempt(
        now: Int64,
        recordedAt: Int64,
        attemptedAt: Int64,
        randomness: Double,
        expected: Int64
    ) throws {
        var record = try #require(
            SettlementRecord(
                reservationID: "r",
                baseURL: "",
                mode: .commit,
                commit: .object([]),
                event: nil,
                recordedAtMilliseconds: recordedAt
            )
        )
        record.attemptedAtMilliseconds = attemptedAt
        #expect(record.remainingBackOff(at: now, randomness: randomness) == .milliseconds(expected))
    }

    @Test func filesAreNamedByTheHashOfTheIdentifier() {
        #expect(
            JournalNames.file("rsv_1") == "v2-228a13c45c8ee9206cbfaed7b632dd9245a4706eab19b19b41a3b8b71152d9ab.json"
        )
        #expect(
            JournalNames.file("rés-✓") == "v2-afa7d998b217de120e5795e0d252d24df2d3257df84d1143b210fbfb1720f28a.json"
        )
        #expect(JournalNames.file("re\u{301}s-✓") != JournalNames.file("r\u{e9}s-✓"))
        #expect(JournalNames.legacyFiles("a/b:c-d_e.é") == ["a_b_c-d_e__.json"])
        #expect(JournalNames.legacyFiles("a😀") == ["a_.json", "a__.json"])
    }

    @Test(
        .enabled(if: !isSlowed),
        arguments: [
            ("http://localhost", "test-key", nil, "68c905017df7dbfc"),
            ("http://localhost", "any", "acme", "8baba538fb970da4"),
            ("http://localhost:7878", "any", "acme", "4eb53c28893cdf51"),
            ("http://localhost:7878", "key-1", nil, "98764aa7a2f3eceb"),
            ("http://localhost:7878", "key-1", " \t", "98764aa7a2f3eceb"),
            ("http://localhost:7878/", "any", "acme", "d01463b8ea1e09bf"),
            ("https://api.example.com", "any", "t\u{e9}nant", "8ee69222eb5b5910"),
        ] as [(String, String, String?, String)]
    )
    func foldersAreThoseOfTheOtherClients(baseURL: String, key: String, tenant: String?, expected: String) {
        #expect(JournalNames.folder(baseURL: baseURL, apiKey: key, tenant: tenant) == expected)
    }
}
