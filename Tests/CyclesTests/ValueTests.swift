import Testing

@testable import Cycles

@Suite struct ValueTests {
    @Test func knownAndUnrecognizedTexts() {
        #expect(BudgetUnit(rawValue: "TOKENS") == .tokens)
        #expect(BudgetUnit(rawValue: "GPU_SECONDS") == .unrecognized("GPU_SECONDS"))
        #expect(BudgetUnit.unrecognized("TOKENS") == .tokens)
        #expect(BudgetUnit.unrecognized("TOKENS").hashValue == BudgetUnit.tokens.hashValue)
        #expect("\(BudgetUnit.usdMicrocents)" == "USD_MICROCENTS")
    }

    @Test func textsOfOpenEnumerationsGoBothWays() {
        func check<E: _OpenEnumeration>(_ type: E.Type, _ texts: [String]) {
            for text in texts {
                #expect(E(rawValue: text).rawValue == text)
                #expect(
                    !String(describing: Mirror(reflecting: E(rawValue: text)).children.first as Any).contains("unrecog")
                )
            }
            #expect(E(rawValue: "SOMETHING_NEW").rawValue == "SOMETHING_NEW")
        }
        check(BudgetUnit.self, ["USD_MICROCENTS", "TOKENS", "CREDITS", "RISK_POINTS"])
        check(Decision.self, ["ALLOW", "ALLOW_WITH_CAPS", "DENY"])
        check(CommitOveragePolicy.self, ["REJECT", "ALLOW_IF_AVAILABLE", "ALLOW_WITH_OVERDRAFT"])
        check(ReservationStatus.self, ["ACTIVE", "COMMITTED", "RELEASED", "EXPIRED"])
        check(EventStatus.self, ["APPLIED"])
        check(EvidenceArtifact.self, ["decide", "reserve", "commit", "release", "error"])
        check(
            ReasonCode.self,
            [
                "BUDGET_EXCEEDED", "BUDGET_FROZEN", "BUDGET_CLOSED", "BUDGET_NOT_FOUND", "OVERDRAFT_LIMIT_EXCEEDED",
                "DEBT_OUTSTANDING", "TENANT_CLOSED", "ACTION_QUOTA_EXCEEDED", "ACTION_KIND_DENIED",
                "ACTION_KIND_NOT_ALLOWED", "TENANT_SUSPENDED", "POLICY_VIOLATION",
            ]
        )
        let codes = [
            "INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "BUDGET_EXCEEDED", "BUDGET_FROZEN",
            "BUDGET_CLOSED", "RESERVATION_EXPIRED", "RESERVATION_FINALIZED", "IDEMPOTENCY_MISMATCH", "UNIT_MISMATCH",
            "OVERDRAFT_LIMIT_EXCEEDED", "DEBT_OUTSTANDING", "MAX_EXTENSIONS_EXCEEDED", "LIMIT_EXCEEDED",
            "TENANT_CLOSED", "INTERNAL_ERROR", "ACTION_QUOTA_EXCEEDED", "ACTION_KIND_DENIED", "ACTION_KIND_NOT_ALLOWED",
        ]
        check(ErrorCode.self, codes)
        #expect(codes.filter { ErrorCode(rawValue: $0).isRetryable } == ["LIMIT_EXCEEDED", "INTERNAL_ERROR"])
    }

    @Test func unknownDecisionIsNeitherPermissionNorDenial() {
        #expect(Decision.allow.isAllowed && Decision.allowWithCaps.isAllowed && !Decision.deny.isAllowed)
        #expect(Decision.deny.isDenied)
        #expect(!Decision.unrecognized("ALLOW_MAYBE").isAllowed)
        #expect(!Decision.unrecognized("ALLOW_MAYBE").isDenied)
    }

    @Test func identifiersCompareByBytes() {
        let composed: ReservationID = "r\u{e9}s"
        let decomposed: ReservationID = "re\u{301}s"
        #expect(composed.rawValue == decomposed.rawValue)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed, ReservationID("r\u{e9}s")]).count == 2)
        #expect("\(composed)" == "r\u{e9}s")
        #expect(ReservationID(rawValue: "x") == "x")
    }

    @Test func randomKeysAreUUIDsOfVersion4() {
        var generator = SplitMix64(seed: 7)
        let keys = (0..<1_000).map { _ in IdempotencyKey.random(generator.next(), generator.next()).rawValue }
        #expect(Set(keys).count == 1_000)
        for key in keys {
            let parts = key.split(separator: "-").map(String.init)
            #expect(parts.map(\.count) == [8, 4, 4, 4, 12])
            #expect(parts[2].first == "4")
            #expect("89ab".contains(parts[3].first!))
            #expect(key.utf8.allSatisfy { "0123456789abcdef-".utf8.contains($0) })
        }
        #expect(IdempotencyKey.random() != IdempotencyKey.random())
    }

    @Test func capsDecideWhichToolsAreAllowed() {
        #expect(Caps().allows(tool: "x"))
        #expect(Caps(toolAllowlist: [], toolDenylist: []).allows(tool: "x"))
        #expect(Caps(toolAllowlist: ["a"], toolDenylist: ["a"]).allows(tool: "a"))
        #expect(!Caps(toolAllowlist: ["a"]).allows(tool: "A"))
        #expect(!Caps(toolAllowlist: [], toolDenylist: ["a"]).allows(tool: "a"))
        #expect(Caps(toolDenylist: ["a"]).allows(tool: "b"))
    }

    @Test func traceContextsAreReadStrictly() throws {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let context = try #require(TraceContext(parsing: header))
        #expect(context.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.parentID == "00f067aa0ba902b7")
        #expect(context.flags == 1)
        #expect("\(context)" == header)
        #expect(
            "\(try #require(TraceContext(traceID: context.traceID, parentID: context.parentID, flags: 0xa5)))"
                .hasSuffix("-a5")
        )
        for bad in [
            "", "00", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] { #expect(TraceContext(parsing: bad) == nil, "\(bad)") }
    }

    @Test func amountsReadWell() {
        #expect("\(Amount.usdMicrocents(5))" == "5 USD_MICROCENTS")
        #expect("\(SignedAmount.credits(-5))" == "-5 CREDITS")
        #expect(Amount(5, .riskPoints) == .riskPoints(5))
        #expect(SignedAmount(5, .tokens) == .tokens(5))
        #expect(SignedAmount.usdMicrocents(1).unit == .usdMicrocents)
        #expect(SignedAmount.riskPoints(1).unit == .riskPoints)
        #expect(Amount.credits(1).unit == .credits)
    }
}

@Suite struct SupportTests {
    @Test(
        arguments: [
            (Duration.zero, 0), (.milliseconds(1_500), 1_500), (.microseconds(1_999), 1), (.microseconds(-1), -1),
            (.milliseconds(-5), -5), (.microseconds(-5_001), -6), (.seconds(Int64.max), Int64.max),
            (.seconds(Int64.min), Int64.min),
        ] as [(Duration, Int64)]
    )
    func millisecondsRoundDown(duration: Duration, expected: Int64) {
        #expect(duration.wholeMilliseconds == expected)
    }

    @Test func durationsReadWell() {
        #expect(Duration.seconds(5).readable == "5 s")
        #expect(Duration.milliseconds(1_500).readable == "1.5 s")
        #expect(Duration.milliseconds(1_234).readable == "1234 ms")
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_712_956_830_123, "2024-04-12T21:20:30.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)]
    )
    func timestampsGoBothWays(milliseconds: Int64, text: String) {
        #expect(InternetTimestamp.format(milliseconds: milliseconds) == text)
        #expect(InternetTimestamp.parse(text) == milliseconds)
    }

    @Test func timestampsTakeOffsetsAndFractions() {
        #expect(InternetTimestamp.parse("1970-01-01T01:00:00+01:00") == 0)
        #expect(InternetTimestamp.parse("1969-12-31t23:00:00.5-01:00") == 500)
        #expect(InternetTimestamp.parse("1970-01-01T00:00:00.123456789Z") == 123)
        for bad in [
            "", "1970-01-01", "1970-13-01T00:00:00Z", "1970-02-29T00:00:00Z", "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00Zx", "1970-01-01T00:00:00+1:00",
            "yyyy-01-01T00:00:00Z",
        ] { #expect(InternetTimestamp.parse(bad) == nil, "\(bad)") }
        #expect(InternetTimestamp.format(milliseconds: .max) == nil)
    }

    @Test func everyDayOfFourCenturiesGoesBothWays() {
        for day in stride(from: Int64(-150_000), to: 150_000, by: 1) {
            let milliseconds = day * 86_400_000 + 12_345
            #expect(InternetTimestamp.parse(InternetTimestamp.format(milliseconds: milliseconds)!) == milliseconds)
        }
    }

    @Test func redactorTakesSecretsOut() {
        let redactor = Redactor(["secret-key", nil, "k", "pässword"])
        #expect(redactor.redact("a secret-key b secret-keysecret-key") == "a [redacted] b [redacted][redacted]")
        #expect(redactor.redact("token k") == "token k")
        #expect(redactor.redact("xpässwordy") == "x[redacted]y")
        #expect(redactor.redact(["a": ["secret-key", 5, nil, true]]) == ["a": ["[redacted]", 5, nil, true]])
        #expect(redactor.redact(nil as String?) == nil)
    }

    @Test func secretsDoNotShow() {
        let secret = Secret("hush")
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!"\(secret) \(String(reflecting: secret)) \(dumped)".contains("hush"))
    }

    @Test func blankMeansUnicodeWhiteSpace() {
        #expect("".isBlank && " \t\n\u{3000}\u{2003}".isBlank && !" x ".isBlank)
        #expect(" \u{3000}a b\n".trimmed == "a b")
        #expect(" ".trimmed == "")
    }
}
