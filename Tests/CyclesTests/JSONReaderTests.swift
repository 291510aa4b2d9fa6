import Testing

@testable import Cycles

@Suite struct JSONReaderTests {
    @Test func readsAWholeDocument() throws {
        let value = try JSONValue(parsing: Array(#"{"a":[1,2.50,-3e2],"b":null,"c":"é\u00e9\ud83d\ude00"}"#.utf8))
        #expect(value["a"]?[1] == .number(try #require(JSONNumber(digits: "2.50"))))
        #expect(value["c"]?.string == "éé😀")
        #expect(value["b"] == .some(.null))
    }
}
