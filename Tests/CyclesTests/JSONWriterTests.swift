import Testing

@testable import Cycles

@Suite struct JSONWriterTests {
    @Test func writesEveryKindOfValue() {
        let value: JSONValue = ["b": [1, -2, 2.5, true, false, nil, "x"], "a": [:], "c": []]
        #expect(
            String(decoding: value.encoded, as: UTF8.self) == #"{"a":{},"b":[1,-2,2.5,true,false,null,"x"],"c":[]}"#
        )
    }

    @Test func escapesWhatHasToBe() {
        let text = "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}é😀"
        let expected = #""\"\\/\b\f\n\r\t\u0000\u001f"# + "\u{7f}é😀\""
        #expect(String(decoding: JSONValue.string(text).encoded, as: UTF8.self) == expected)
    }

    @Test func whatIsWrittenReadsBack() throws {
        for scalar in (0..<0x3000).compactMap({ Unicode.Scalar(UInt32($0)) }) {
            let value = JSONValue.string("abcdefg\(Character(scalar))hij")
            #expect(try JSONValue(parsing: value.encoded) == value)
        }
    }

    @Test(arguments: [0, 1, -1, 10, 99, 100, Int64.max, Int64.min, 1_234_567_890_123])
    func writesWholeNumbers(value: Int64) {
        #expect(String(decoding: JSONWriter.bytes { $0.int64(value) }, as: UTF8.self) == String(value))
    }

    @Test func writesEverythingWhateverTheCapacity() {
        let value: JSONValue = ["name": "é\n\u{1}x", "numbers": [1, -20, 3.5], "empty": [:]]
        let whole = value.encoded
        for capacity in 0...(whole.count + 1) {
            #expect(JSONWriter.bytes(capacity: capacity) { $0.value(value) } == whole)
        }
    }

    @Test func numbersAreCheckedWhenMade() {
        for text in ["0", "-1", "1.50", "1e+5", "1E-5", "0.1"] { #expect(JSONNumber(digits: text)?.digits == text) }
        for text in ["", "01", "1.", "+1", " 1", "1 ", "NaN", "1e", "-"] { #expect(JSONNumber(digits: text) == nil) }
        #expect(JSONNumber(Double.infinity) == nil)
        #expect(JSONNumber(0.1)?.digits == "0.1")
        #expect(JSONNumber(digits: "12")?.int64 == 12)
        #expect(JSONNumber(digits: "1.5")?.int64 == nil)
        #expect(JSONNumber(digits: "1.5")?.double == 1.5)
        #expect(JSONNumber(digits: "1") != JSONNumber(digits: "1.0"))
    }

    @Test func valuesGiveTheirParts() {
        let value: JSONValue = ["n": 1, "d": 1.5, "s": "t", "b": true, "a": [7], "z": nil]
        #expect(value["n"]?.int64 == 1)
        #expect(value["d"]?.double == 1.5)
        #expect(value["s"]?.string == "t")
        #expect(value["b"]?.bool == true)
        #expect(value["a"]?[0] == 7)
        #expect(value["a"]?[1] == nil)
        #expect(value["a"]?.array?.count == 1)
        #expect(value.object?.count == 6)
        #expect(value["s"]?["x"] == nil)
        #expect(value["n"]?.string == nil && value["s"]?.int64 == nil && value["s"]?.double == nil)
        #expect(value["s"]?.bool == nil && value["s"]?.array == nil && value["s"]?.object == nil)
        #expect(value["s"]?[0] == nil)
    }
}
