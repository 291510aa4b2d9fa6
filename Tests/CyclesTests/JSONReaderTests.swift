import Testing

@testable import Cycles

@Suite struct JSONReaderTests {
    private func parse(_ text: String) throws(JSONError) -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    private func int64(_ text: String) throws(JSONError) -> Int64 {
        try JSONReader.document(Array(text.utf8)) { reader throws(JSONError) in try reader.readInt64() }
    }

    @Test func readsEveryKindOfValue() throws {
        let value = try parse(#" { "a" : [ 1 , 2.50 , -3e2 ] , "b" : null , "c" : true , "d" : "x" , "e" : { } } "#)
        #expect(
            value == [
                "a": [1, .number(try #require(JSONNumber(digits: "2.50"))), .number(JSONNumber(digits: "-3e2")!)],
                "b": nil, "c": true, "d": "x", "e": [:],
            ]
        )
    }

    @Test func keepsTheDigitsOfNumbers() throws {
        let digits = "123456789012345678901234567890.10"
        #expect(try parse(digits) == .number(JSONNumber(digits: digits)!))
        #expect(String(decoding: try parse("[\(digits)]").encoded, as: UTF8.self) == "[\(digits)]")
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("7", 7), ("-7", -7), ("9223372036854775807", Int64.max),
            ("-9223372036854775808", Int64.min), ("1e3", 1_000), ("5.0", 5), ("1.5e1", 15), ("1200e-2", 12),
            ("0e999999999999999999999", 0), ("0.0", 0), ("922337203685477580.7e1", Int64.max),
        ] as [(String, Int64)]
    )
    func readsWholeNumbersExactly(text: String, expected: Int64) throws {
        #expect(try int64(text) == expected)
    }

    @Test(arguments: [
        "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e19", "1e400",
        "1e99999999999999999999", "1e9223372036854775807", "1e9223372036854775806", "-1e+9223372036854775807",
        "99999999999999999999999999",
    ])
    func refusesNumbersThatDoNotFit(text: String) {
        #expect(throws: JSONError(reason: .overflow, offset: 0)) { try int64(text) }
    }

    @Test(arguments: ["1.5", "1e-1", "-0.5", "1e-99999999999999999999", "1e-9223372036854775808"])
    func refusesFractionsWhereWholeNumbersBelong(text: String) {
        #expect(throws: JSONError(reason: .mismatch(expected: "a whole number"), offset: 0)) { try int64(text) }
    }

    @Test(arguments: ["\"5\"", "true", "null", "[]", "{}"])
    func saysWhatWasExpected(text: String) {
        #expect(throws: JSONError(reason: .mismatch(expected: "a whole number"), offset: 0)) { try int64(text) }
    }

    @Test(arguments: [
        "", " ", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "[1,]", "[1 2]", "{\"a\" 1}",
        "{a:1}", "{1:2}", "nul", "truth", "tru", "01", "+1", "1.", ".5", "1e", "1e+", "-", "--1", "0x10", "NaN",
        "Infinity", "'a'", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\u{01}b\"", "\"a\nb\"", "1 2",
        "{} x", "[]]", "\u{feff}{}", "//\n1", "[1,,2]", "{,}", "[,]", ":", ",", "}", "]",
    ])
    func refusesWhatIsNoJSON(text: String) {
        #expect {
            _ = try parse(text)
        } throws: { ($0 as? JSONError)?.isMalformed == true }
        // Passing over a value must be as strict as reading it.
        #expect {
            try JSONReader.document(Array(text.utf8)) { reader throws(JSONError) in try reader.skipValue() }
        } throws: { ($0 as? JSONError)?.isMalformed == true }
    }

    @Test func everyPrefixOfADocumentIsRefused() {
        let document = #"{"a":[1,-2.5e+3,"x\u00e9\ud83d\ude00\n"],"b":{"c":null,"d":false},"é":"😀"}"#
        let bytes = Array(document.utf8)
        for length in 0..<bytes.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(bytes[..<length])) }
        }
        #expect(throws: Never.self) { try JSONValue(parsing: bytes) }
    }

    @Test func resolvesEscapes() throws {
        #expect(try parse(#""\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00""#) == "\"\\/\u{8}\u{c}\n\r\tAé€😀")
        #expect(try parse(#"{"\u0061":1}"#)["a"] == 1)
    }

    @Test(arguments: [#""\ud83d""#, #""\ud83dx""#, #""\ude00""#, #""\ud83d\u0041""#, #""\ud83d\ud83d""#])
    func refusesLoneSurrogates(text: String) {
        #expect {
            _ = try parse(text)
        } throws: { ($0 as? JSONError)?.description.contains("surrogate") == true }
    }

    @Test(
        arguments: [
            [0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xe0, 0x80, 0x80, 0x22],
            [0x22, 0xed, 0xa0, 0x80, 0x22],
            [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xc3, 0x22], [0x22, 0x80, 0x22], [0x22, 0xf0, 0x9f, 0x98],
        ] as [[UInt8]]
    )
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect {
            _ = try JSONValue(parsing: bytes)
        } throws: { ($0 as? JSONError)?.isMalformed == true }
    }

    @Test func acceptsAllOfUTF8() throws {
        for text in ["é", "€", "😀", "\u{7f}", "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{10ffff}"] {
            #expect(try parse("\"aaaaaaaaaa\(text)\"") == .string("aaaaaaaaaa\(text)"))
        }
    }

    @Test func limitsNesting() throws {
        let deepest = JSONValue.maximumDepth
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try parse(nested(deepest)) }
        for depth in [deepest + 1, 100_000] {
            #expect {
                _ = try parse(nested(depth))
            } throws: { ($0 as? JSONError)?.description.contains("nested deeper than 128") == true }
            #expect(throws: JSONError.self) {
                try JSONReader.document(Array(nested(depth).utf8)) { reader throws(JSONError) in try reader.skipValue()
                }
            }
            // Without an end, too.
            #expect(throws: JSONError.self) { try parse(String(repeating: "{\"a\":", count: depth)) }
        }
    }

    @Test func lastOfSeveralMembersCounts() throws {
        #expect(try parse(#"{"a":1,"a":2}"#) == ["a": 2])
    }

    @Test func partsThatAreNotWhatIsExpectedCountAsAbsent() throws {
        let parts = try #require(try parse(#"["x",{"a":[1]},3,99999999999999999999,null]"#).array)
        #expect(parts.map { Int64(decoding: $0) } == [nil, nil, 3, nil, nil])
        #expect(Int64(decoding: nil) == nil)
    }

    @Test func findsTheFirstByteThatDoesNotStandForItself() {
        func plainEnd(_ bytes: [UInt8]) -> Int {
            bytes.withUnsafeBytes { bytes in
                JSONBytes(start: bytes.baseAddress!, count: bytes.count, isTolerant: false).plainEnd(0)
            }
        }
        for special in [UInt8(ascii: "\""), UInt8(ascii: "\\"), 0, 0x1f] {
            for length in 0..<40 {
                var bytes = [UInt8](repeating: 0x7f, count: 40)
                bytes[length] = special
                #expect(plainEnd(bytes) == length)
            }
        }
        let plain = Array("é~ !#[]\u{7f}€😀 plain text".utf8)
        #expect(plainEnd(plain) == plain.count)
    }

    @Test func passesOverContainersAsDeepAsOtherClientsWriteThem() throws {
        // Objects and arrays in turn, so that a closing bracket has to match its own.
        for depth in [1, 2, 63, 64, 65, 66, 127, 128, 129, 500, 1_000] {
            let kinds = (0..<depth).map { $0.isMultiple(of: 3) }
            let opening = kinds.map { $0 ? #"{"a":"# : "[" }.joined()
            let closing = kinds.reversed().map { $0 ? "}" : "]" }
            let wrong = kinds.map { $0 ? "]" : "}" }
            func skip(_ text: String) throws(JSONError) {
                try JSONReader.document(Array(text.utf8), isTolerant: true) { reader throws(JSONError) in
                    _ = try reader.skipValue()
                }
            }
            #expect(throws: Never.self) { try skip(opening + "1" + closing.joined()) }
            for level in Set([0, depth / 2, depth - 1]) {
                var broken = closing
                broken[depth - 1 - level] = wrong[level]
                #expect(throws: JSONError.self) { try skip(opening + "1" + broken.joined()) }
            }
        }
    }

    @Test(arguments: [("\"\u{7f}é\u{80}", [0xff]), ("[1, ", [0xc0, 0x80]), ("\"€", [0xed, 0xa0, 0x80])])
    func saysWhereBytesAreNotUTF8(text: String, bytes: [UInt8]) {
        #expect(throws: JSONError(reason: .malformed("bytes that are not UTF-8"), offset: text.utf8.count)) {
            try JSONValue(parsing: Array(text.utf8) + bytes)
        }
    }

    @Test func survivesRandomBytes() {
        var generator = SplitMix64(seed: 1)
        let alphabet = Array("{}[]:,\"\\0123456789-+.eEtrufalsn \n\u{1}\u{ff}é".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<24, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            let read = Result { try JSONValue(parsing: bytes) }
            let skipped = Result {
                try JSONReader.document(bytes) { reader throws(JSONError) in try reader.skipValue() }
            }
            #expect(((try? read.get()) != nil) == ((try? skipped.get()) != nil), "\(bytes)")
            if let value = try? read.get() { #expect((try? JSONValue(parsing: value.encoded)) == value) }
        }
    }
}

/// A small generator whose runs can be repeated.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
