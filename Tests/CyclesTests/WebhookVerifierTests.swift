import Testing

@testable import Cycles

@Suite struct WebhookVerifierTests {
    private let body = Array(
        #"""
        {"event_id":"evt_1","event_type":"budget.exhausted","category":"budget","timestamp":"2026-11-27T10:00:00Z",
        "tenant_id":"acme","source":"cycles-server","scope":"tenant:acme","data":{"remaining":0}}
        """#.utf8
    )
    private let verifier = WebhookVerifier(secret: "whsec_é")

    private func sign(_ body: [UInt8], secret: String = "whsec_é") -> String {
        "sha256=" + Hexadecimal.text(HMACSHA256(key: Array(secret.utf8)).code(body))
    }

    /// RFC 4231, test case 2.
    @Test func aPublishedCodeIsValid() {
        let verifier = WebhookVerifier(secret: "Jefe")
        let signature = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        #expect(verifier.isValid(signature: signature, body: Array("what do ya want for nothing?".utf8)))
    }

    @Test func aSignedBodyIsAnEvent() throws {
        let event = try verifier.event(signature: sign(body), body: body)
        #expect(event.id == "evt_1" && event.type == .budgetExhausted && event.category == "budget")
        #expect(event.timestamp == "2026-11-27T10:00:00Z" && event.tenant == "acme" && event.source == "cycles-server")
        #expect(event.data["remaining"] == 0)
    }

    @Test func eachChangedByteIsRefused() {
        let signature = sign(body)
        for position in body.indices {
            var changed = body
            changed[position] ^= 1
            let isValid = verifier.isValid(signature: signature, body: changed)
            #expect(!isValid, "byte \(position) of the body")
        }
        for position in signature.utf8.indices {
            var changed = Array(signature.utf8)
            changed[signature.utf8.distance(from: signature.utf8.startIndex, to: position)] ^= 1
            let isValid = verifier.isValid(signature: String(decoding: changed, as: UTF8.self), body: body)
            #expect(!isValid, "\(String(decoding: changed, as: UTF8.self))")
        }
    }

    @Test func aSignatureHasOneSpelling() {
        let signature = sign(body)
        #expect(verifier.isValid(signature: signature, body: body))
        let digits = String(signature.dropFirst(7))
        for other in [
            nil, "", "sha256=", digits, "SHA256=" + digits, "sha256=" + digits.uppercased(), signature + " ",
            " " + signature,
            signature + "00", String(signature.dropLast()), "sha1=" + digits, sign(body, secret: "whsec_e\u{301}"),
        ] {
            #expect(!verifier.isValid(signature: other, body: body), "\(other ?? "nil")")
        }
    }

    @Test func anEmptySecretAcceptsNothing() {
        #expect(!WebhookVerifier(secret: "").isValid(signature: sign(body, secret: ""), body: body))
    }

    @Test func theSignatureIsCheckedBeforeTheBodyIsRead() {
        let body = Array("no event".utf8)
        func field(_ signature: String?) -> String? {
            guard
                case .validation(let issue) = #expect(
                    throws: CyclesError.self,
                    performing: {
                        try verifier.event(signature: signature, body: body)
                    }
                )
            else { return nil }
            return issue.field
        }
        #expect(field(nil) == "X-Cycles-Signature")
        #expect(field(sign(body, secret: "other")) == "X-Cycles-Signature")
        #expect(field(sign(body)) == "body")
    }

    @Test func unknownTypesAndMembersAreAccepted() throws {
        let body = Array(
            #"""
            {"event_type":"budget.invented","event_id":"e","category":"new","timestamp":"t","tenant_id":"__system__",
            "source":"s","later":[1]}
            """#.utf8
        )
        let event = try verifier.event(signature: sign(body), body: body)
        #expect(event.type == .unrecognized("budget.invented") && event.data == .null)
    }

    @Test(arguments: ["event_id", "event_type", "category", "timestamp", "tenant_id", "source"])
    func aRequiredMemberMayNotBeMissing(member: String) throws {
        guard case .object(var members) = try JSONValue(parsing: body) else { return }
        members[member] = nil
        let body = JSONValue.object(members).encoded
        #expect(throws: CyclesError.self) { try verifier.event(signature: sign(body), body: body) }
    }

    @Test func theSecretIsNowhereToBeSeen() {
        var dumped = ""
        dump(verifier, to: &dumped)
        for text in [dumped, "\(verifier)", String(reflecting: verifier)] { #expect(!text.contains("whsec")) }
        #expect(Mirror(reflecting: verifier).children.isEmpty)
    }

    @Test func everyKnownTypeHasItsOwnText() {
        #expect(Set(WebhookEventType._known.map(\.rawValue)).count == 44)
        for type in WebhookEventType._known { #expect(WebhookEventType(rawValue: type.rawValue) == type) }
    }
}
