import Testing

@testable import Cycles

@Suite struct WireObjectTests {
    private func read<Value>(
        _ text: String,
        _ read: (borrowing WireObject) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        let body = Array(text.utf8)
        return try JSONReader.document(body) { reader throws(JSONError) in
            let object = try WireObject(from: &reader, of: body)
            return try read(object)
        }
    }

    private func required(_ text: String) throws(JSONError) -> Int64 {
        try read(text) { object throws(JSONError) in try object.required("a") }
    }

    private func optional(_ text: String) throws(JSONError) -> Int64? {
        try read(text) { object throws(JSONError) in try object.optional("a") }
    }

    private func informational(_ text: String) throws(JSONError) -> Int64? {
        try read(text) { object throws(JSONError) in object.informational("a") }
    }

    @Test func anObjectHasToBeOne() {
        for text in ["[]", "1", "null", "\"a\""] {
            #expect(throws: JSONError(reason: .mismatch(expected: "an object"), offset: 0)) { try optional(text) }
        }
    }

    @Test func aRequiredMemberIsRead() throws {
        #expect(try required(#"{"a":1}"#) == 1)
        #expect(try required(#" { "b" : 2 , "a" : 1 } "#) == 1)
    }

    @Test func aRequiredMemberMayNotBeMissing() {
        for text in ["{}", #"{"b":1}"#, #"{"ab":1,"A":2,"":3}"#, #"{"b":{"a":1}}"#] {
            #expect(throws: JSONError(reason: .missing, offset: 0, path: ["a"])) { try required(text) }
        }
    }

    @Test(arguments: ["null", "true", "\"1\"", "[1]", "{}", "1.5"])
    func aRequiredMemberMayNotBeOfAnotherType(value: String) {
        let expected = JSONError(reason: .mismatch(expected: "a whole number"), offset: 5, path: ["a"])
        #expect(throws: expected) { try required(#"{"a":\#(value)}"#) }
    }

    @Test func anOptionalMemberMayBeMissingOrNull() throws {
        #expect(try optional(#"{"a":1}"#) == 1)
        #expect(try optional(#"{"b":1}"#) == nil)
        #expect(try optional(#"{"a":null}"#) == nil)
    }

    @Test(arguments: ["true", "\"1\"", "[1]", "{}", "1.5"])
    func anOptionalMemberMayNotBeOfAnotherType(value: String) {
        let expected = JSONError(reason: .mismatch(expected: "a whole number"), offset: 5, path: ["a"])
        #expect(throws: expected) { try optional(#"{"a":\#(value)}"#) }
    }

    @Test func anInformationalMemberIsRead() throws { #expect(try informational(#"{"a":1}"#) == 1) }

    @Test(arguments: ["{}", #"{"a":null}"#, #"{"a":true}"#, #"{"a":[1]}"#, #"{"a":1.5}"#, #"{"a":1e30}"#])
    func anythingElseInAnInformationalMemberCountsAsAbsent(text: String) throws {
        #expect(try informational(text) == nil)
    }

    @Test(arguments: [("\"x\"", "x"), ("\"\"", nil), ("\" \\u2003\"", nil), ("1", nil), ("null", nil)])
    func aBlankInformationalTextCountsAsAbsent(value: String, expected: String?) throws {
        let text = try read(#"{"a":\#(value)}"#) { object throws(JSONError) in object.informationalText("a") }
        #expect(text == expected)
    }

    @Test func aMemberThatHasToBeOneValueMayBeNoOther() throws {
        func status(_ text: String) throws(JSONError) -> ReservationStatus {
            try read(text) { object throws(JSONError) in try object.required("a", expecting: .committed) }
        }
        #expect(try status(#"{"a":"COMMITTED"}"#) == .committed)
        for value in ["RELEASED", "COMMITTED ", "committed", ""] {
            #expect(throws: JSONError(reason: .mismatch(expected: "COMMITTED"), offset: 5, path: ["a"])) {
                try status(#"{"a":"\#(value)"}"#)
            }
        }
        #expect(throws: JSONError(reason: .missing, offset: 0, path: ["a"])) { try status("{}") }
    }

    @Test func unknownMembersArePassedOver() throws {
        #expect(try required(#"{"x":[{"a":2},"a",{"y":{"a":[3]}}],"a":1,"z":null,"w":-1.5e3}"#) == 1)
    }

    @Test(arguments: ["nul", "[1", "[1,]", "{\"a\":}", "\"\\x\"", "01", "{1:2}", ""])
    func anUnknownMemberHasToBeValidAllTheSame(value: String) {
        #expect {
            try optional(#"{"x":\#(value),"a":1}"#)
        } throws: { ($0 as? JSONError)?.isMalformed == true }
    }

    @Test func theLastOfSeveralMembersWithOneNameCounts() throws {
        #expect(try required(#"{"a":1,"b":5,"a":2}"#) == 2)
        #expect(try optional(#"{"a":1,"a":null}"#) == nil)
        #expect(throws: JSONError.self) { try required(#"{"a":1,"a":"x"}"#) }
        #expect(try required(#"{"a":"x","a":1}"#) == 1)
    }

    @Test func namesAreFoundWithTheirEscapesResolved() throws {
        #expect(try required(#"{"\u0061":1}"#) == 1)
        #expect(try required(#"{"a":1,"\u0061":2}"#) == 2)
        #expect(throws: JSONError.self) { try required(#"{"\\u0061":1}"#) }
    }

    @Test func membersOfObjectsWithinObjectsStayApart() throws {
        let sum = try read(#"{"o":{"a":1,"b":{"a":10}},"a":100,"p":{"a":1000}}"#) { object throws(JSONError) in
            var sum: Int64 = 0
            for name in ["o", "p"] as [StaticString] {
                let inner: [String: JSONValue] = try object.required(name)
                sum += inner["a"]?.int64 ?? 0
            }
            let amount: Amount? = object.informational("o")
            #expect(amount == nil)
            return sum + (try object.required("a"))
        }
        #expect(sum == 1_101)
    }

    @Test func anObjectMayHaveManyMembers() throws {
        let members = (0..<200).map { #""m\#($0)":\#($0)"# }.joined(separator: ",")
        #expect(try required(#"{"a":7,\#(members)}"#) == 7)
        #expect(try required(#"{\#(members),"a":7}"#) == 7)
    }

    @Test(arguments: [#"{}"#, #"{"balances":null}"#, #"{"balances":{}}"#, #"{"balances":[{}]}"#, #"{"balances":[1]}"#])
    func balancesThatDoNotMakeSenseAreEmpty(text: String) throws {
        let balances = try read(text) { object throws(JSONError) in object.balances() }
        #expect(balances.value.isEmpty)
    }

    @Test func balancesAreDecodedWhenTheyAreUsed() throws {
        let text =
            #"{"balances":[{"scope":"tenant:a","scope_path":"tenant:a","remaining":{"unit":"TOKENS","amount":-3}}],"x":1}"#
        let balances = try read(text) { object throws(JSONError) in object.balances() }
        #expect(
            balances.value
                == [Balance(scope: "tenant:a", scopePath: "tenant:a", remaining: SignedAmount(-3, .tokens))]
        )
    }
}

@Suite struct JSONMembersTests {
    private func name(_ text: StaticString, hasEscapes: Bool = false) -> JSONText {
        JSONText(start: UnsafeRawPointer(text.utf8Start), length: text.utf8CodeUnitCount, hasEscapes: hasEscapes)
    }

    private func members(_ names: [StaticString]) -> JSONMembers {
        var members = JSONMembers()
        for (index, text) in names.enumerated() {
            members.append(JSONMembers.Member(name: name(text), value: index * 10))
        }
        return members
    }

    @Test func aMemberIsFoundByItsName() {
        let members = members(["a", "bb", "reservation_id", "reservation_ie"])
        #expect(members.count == 4)
        #expect(members.value(of: "a", from: 0, to: 4) == 0)
        #expect(members.value(of: "bb", from: 0, to: 4) == 10)
        #expect(members.value(of: "reservation_id", from: 0, to: 4) == 20)
        for absent in ["", "b", "ab", "reservation_i", "reservation_if", "teservation_id"] as [StaticString] {
            #expect(members.value(of: absent, from: 0, to: 4) == nil)
        }
    }

    @Test func theLastMemberWithANameCounts() {
        #expect(members(["a", "b", "a", "c"]).value(of: "a", from: 0, to: 4) == 20)
    }

    @Test func onlyTheMembersOfOneObjectAreLookedAt() {
        let members = members(["a", "b", "a", "b"])
        #expect(members.value(of: "a", from: 0, to: 2) == 0)
        #expect(members.value(of: "b", from: 2, to: 4) == 30)
        #expect(members.value(of: "a", from: 3, to: 4) == nil)
        #expect(members.value(of: "a", from: 2, to: 2) == nil)
    }

    @Test func aNameWithEscapesIsResolved() {
        var members = JSONMembers()
        members.append(JSONMembers.Member(name: name(#"\u0061"#, hasEscapes: true), value: 5))
        #expect(members.value(of: "a", from: 0, to: 1) == 5)
        #expect(members.value(of: "b", from: 0, to: 1) == nil)
    }

    @Test func membersAreKeptWhateverTheirNumber() {
        let members = members([StaticString](repeating: "x", count: 100) + ["y"])
        #expect(members.count == 101)
        #expect(members.value(of: "y", from: 0, to: 101) == 1_000)
        #expect(members.value(of: "x", from: 0, to: 50) == 490)
    }

    @Test func membersAreForgottenWithTheirObject() {
        var members = members(["a", "b"])
        members.removeAll(from: 1)
        #expect(members.count == 1)
        members.append(JSONMembers.Member(name: name("c"), value: 7))
        #expect(members.value(of: "b", from: 0, to: members.count) == nil)
        #expect(members.value(of: "c", from: 0, to: members.count) == 7)
    }
}
