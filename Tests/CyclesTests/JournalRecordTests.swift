import Testing

@testable import Cycles

@Suite struct JournalRecordTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func parsed(_ text: String) -> Result<JournalRecord, JournalRecord.Defect> {
        Result { () throws(JournalRecord.Defect) in try JournalRecord(parsing: Array(text.utf8)) }
    }

    @Test func aRecordHasTheDocumentedShape() throws {
        var record = JournalRecord(
            reservationID: "rsv_1",
            baseURL: "http://localhost:7878/",
            mode: .commit,
            commitBody: Array(#"{"idempotency_key":"k","actual":{"unit":"TOKENS","amount":5}}"#.utf8),
            eventBody: nil,
            recordedAtMilliseconds: 1_700_000_000_000
        )
        #expect(
            text(record.encoded)
                == #"{"version":1,"reservation_id":"rsv_1","base_url":"http://localhost:7878/","mode":"commit","#
                + #""commit_body":{"idempotency_key":"k","actual":{"unit":"TOKENS","amount":5}},"#
                + #""event_fallback_body":null,"recorded_at_ms":1700000000000,"not_before_ms":null}"#
        )
        record.mode = .event
        record.eventBody = Array(#"{"x":1.50}"#.utf8)
        record.notBeforeMilliseconds = 7
        #expect(text(record.encoded).contains(#""event_fallback_body":{"x":1.50},"recorded_at_ms""#))
        #expect(text(record.encoded).hasSuffix(#""not_before_ms":7}"#))
        #expect(try parsed(text(record.encoded)).get() == record)
        #expect(JournalRecord.key(in: record.commitBody) == "k")
    }

    @Test func bodiesAndUnknownMembersSurviveAsTheyStand() throws {
        let contents =
            #"{ "version" : 1, "later": {"b" : [1, 2.0 ]}, "reservation_id":"r","#
            + #""commit_body": { "idempotency_key" : "k\u00e9", "n": 1.0e2 } ,"recorded_at_ms":0, "more":null}"#
        let record = try parsed(contents).get()
        #expect(record.baseURL == "" && record.mode == .commit && record.eventBody == nil)
        #expect(text(record.commitBody) == #"{ "idempotency_key" : "k\u00e9", "n": 1.0e2 }"#)
        #expect(JournalRecord.key(in: record.commitBody) == "ké")
        let rewritten = SettlementRecord(record).journalRecord(baseURL: "", notBeforeMilliseconds: 9)
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

    @Test func otherVersionsAreNotSupported() {
        let contents = #"{"version":2,"reservation_id":"r","commit_body":{},"recorded_at_ms":0}"#
        #expect(parsed(contents) == .failure(.unsupportedVersion("2")))
    }

    @Test func filesAreNamedByTheHashOfTheIdentifier() {
        #expect(
            JournalNames.file("rsv_1") == "v2-228a13c45c8ee9206cbfaed7b632dd9245a4706eab19b19b41a3b8b71152d9ab.json"
        )
        #expect(
            JournalNames.file("rés-✓") == "v2-afa7d998b217de120e5795e0d252d24df2d3257df84d1143b210fbfb1720f28a.json"
        )
        #expect(JournalNames.file("re\u{301}s-✓") != JournalNames.file("r\u{e9}s-✓"))
        #expect(JournalNames.legacyFile("a/b:c-d_e.é") == "a_b_c-d_e__.json")
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
