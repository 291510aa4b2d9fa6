import Testing

@testable import Cycles

@Suite struct CanonicalJSONTests {
    private func canonical(_ text: String) throws -> String {
        String(decoding: try CanonicalJSON.bytes(Array(text.utf8)), as: UTF8.self)
    }

    /// RFC 8785, section 3.2.2.
    @Test func theExampleOfTheSpecificationHasItsCanonicalForm() throws {
        let document = #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50,
                          2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        let expected =
            #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
            + #""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        #expect(try canonical(document) == expected)
    }

    /// RFC 8785, section 3.2.3.
    @Test func membersAreOrderedByCodeUnits() throws {
        let document = #"""
            {"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
             "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}
            """#
        let values = try JSONReader.document(try CanonicalJSON.bytes(Array(document.utf8))) {
            reader throws(JSONError) in
            var values: [String] = []
            try reader.beginObject()
            while try reader.nextName() != nil { values.append(try reader.readString()) }
            return values
        }
        #expect(
            values == [
                "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign",
                "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh",
            ]
        )
    }

    /// RFC 8785, appendix B.
    @Test(
        arguments: [
            (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"), (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"), (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"), (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"), (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"), (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"), (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"), (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"), (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"), (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] as [(UInt64, String)]
    )
    func numbersArePrintedAsECMAScriptPrintsThem(bits: UInt64, expected: String) throws {
        #expect(CanonicalJSON.number(try #require(JSONNumber(Double(bitPattern: bits)))) == expected)
    }

    @Test(arguments: [
        ("-0", "0"), ("-0.0e5", "0"), ("0e999999999999999999999", "0"), ("1.0", "1"), ("10", "10"), ("1e2", "100"),
        ("100e-2", "1"), ("0.1", "0.1"), ("1e21", "1e+21"), ("1e20", "100000000000000000000"), ("1E-7", "1e-7"),
        ("9007199254740993.0e-3", "9007199254740.992"), ("9223372036854775808", "9223372036854776000"),
        ("0.1000000000000000000000", "0.1"), ("123456789012345680000", "123456789012345680000"),
    ])
    func spellingsOfANumberBecomeOne(text: String, expected: String) throws {
        #expect(try canonical(text) == expected)
    }

    @Test(arguments: [
        "9007199254740993", "-9007199254740993", "9223372036854775807", "90071992547409930e-1", "1e309", "-1e400",
        "1e-400",
        "1e99999999999999999999", "1e-99999999999999999999", "1e9223372036854775807", "1e-9223372036854775808",
        "0.10000000000000000555", "123456789012345678901",
    ])
    func aNumberThatADoubleWouldChangeIsRefused(text: String) throws {
        let error = #expect(throws: JSONError.self) { try canonical(#"{"a":[\#(text)]}"#) }
        #expect(error?.path == ["a"])
    }

    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"\u0061":3}"#, #"[{"x":{"":1,"":2}}]"#, #""\ud800""#, #""\udc00\ud800""#,
        #"{"\ud83d":1}"#, "", "{", "[1,]", "{}{}", "01", "\u{feff}{}", "nul", "[1 2]", #"{"a" 1}"#, "\"\u{1}\"",
        String(repeating: "[", count: 129) + String(repeating: "]", count: 129),
    ])
    func aDocumentWithoutOneMeaningIsRefused(document: String) {
        #expect(throws: JSONError.self) { try canonical(document) }
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        for bytes in [[0xff], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]] as [[UInt8]] {
            #expect(throws: JSONError.self) { try CanonicalJSON.bytes(bytes) }
        }
    }

    /// Texts that compare equal as `String` are two names.
    @Test func namesThatOnlyLookEqualAreKept() throws {
        #expect(try canonical("{\"\u{e9}\":1,\"e\u{301}\":2}") == "{\"e\u{301}\":2,\"\u{e9}\":1}")
    }

    @Test func aCanonicalDocumentIsUnchanged() throws {
        let document = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(try canonical(document) == document)
        let other =
            #"{"":[],"a":{},"b":{"c":[{"d":"\u0000\b\t\n\f\r\u001f\"\\/"#
            + "\u{7f}\u{2028}" + #""}]}}"#
        #expect(try canonical(other) == other)
    }

    @Test func namedMembersOfTheOutermostObjectAreEmptied() throws {
        let document = #"{"signature":{"x":[1]},"a":{"signature":"s"},"\u0069d":7}"#
        let bytes = try CanonicalJSON.bytes(Array(document.utf8), emptying: ["id", "signature", "none"])
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"a":{"signature":"s"},"id":"","signature":""}"#)
    }
}
