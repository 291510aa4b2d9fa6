import Cycles
import Testing

@Suite struct AmountTests {
    @Test func wholeNumbersOfBothTypesMakeAmounts() {
        let count = 420
        let wide: Int64 = 420
        #expect(Amount.tokens(count) == .tokens(wide))
        #expect(Amount(count, .credits) == .credits(wide))
        #expect(Amount.usdMicrocents(count).amount == wide)
        #expect(Amount.riskPoints(count).amount == wide)
        #expect(SignedAmount.tokens(-count) == SignedAmount(-wide, .tokens))
        // A literal takes the Int64 form; two equal candidates would not compile.
        #expect(Amount.tokens(5) == Amount(5, .tokens))
    }

    @Test(arguments: [
        (0.05, 5_000_000), (0.07, 7_000_000), (1e-9, 1), (-1e-9, -1), (1.1e-8, 2), (-1.1e-8, -2), (0.1, 10_000_000),
        (0, 0), (-0.0, 0), (1, 100_000_000), (0.29, 29_000_000), (-2.5, -250_000_000), (1e-8, 1),
        (.leastNonzeroMagnitude, 1), (0.00000001, 1), (1e10, 1_000_000_000_000_000_000),
        (123.456_789_01, 12_345_678_901),
        (1e3, 100_000_000_000), (92_233_720_368.0, 9_223_372_036_800_000_000), (1234567.125, 123_456_712_500_000),
    ])
    func dollarsAreConvertedByTheirShortestDecimal(dollars: Double, microcents: Int64) {
        #expect(Amount.usd(dollars) == .usdMicrocents(microcents))
    }

    @Test(arguments: [
        .nan, .infinity, -.infinity, 1e11, -1e11, .greatestFiniteMagnitude, 92_233_720_369.0, 1e16, 1e300,
    ])
    func dollarsThatNoAmountHoldsAreNegative(dollars: Double) {
        #expect(Amount.usd(dollars) == .usdMicrocents(Int64.min))
    }

    @Test(arguments: [
        ("0.05 USD", Amount.usdMicrocents(5_000_000)), ("0.05USD", .usdMicrocents(5_000_000)), ("3 usd", .usd(3)),
        ("0.000000001 USD", .usdMicrocents(1)), ("0.010000000 USD", .usdMicrocents(1_000_000)),
        ("0.0100000001 USD", .usdMicrocents(1_000_001)), ("1000 TOKENS", .tokens(1_000)), ("7   Credits", .credits(7)),
        ("0 risk_points", .riskPoints(0)), ("00042 tokens", .tokens(42)), ("0.000000000 USD", .usdMicrocents(0)),
        ("92233720368.54775807 USD", .usdMicrocents(Int64.max)), ("9223372036854775807 TOKENS", .tokens(Int64.max)),
    ])
    func textsBecomeAmounts(text: String, amount: Amount) throws {
        #expect(try Amount(parsing: text) == amount)
    }

    @Test(arguments: [
        "", "USD", "5", "5 ", " 5 USD", "5 USD ", "+5 USD", "-5 USD", "5e3 USD", "1,000 USD", "1_000 USD", ".5 USD",
        "5. USD", "1.2.3 USD", ". USD", "1.5 TOKENS", "1.0 USD_MICROCENTS", "5 EUR", "5 US D", "5\tUSD", "٣ USD",
        "5 \u{17f}EC", "5 credıts", "5 u\u{17f}d", "92233720368.54775808 USD", "92233720368.547758071 USD",
        "9223372036854775808 TOKENS", "99999999999999999999999999999999999999999 USD", "1 USD USD", "$5",
    ])
    func textsThatAreNoAmountsAreRefused(text: String) {
        #expect {
            _ = try Amount(parsing: text)
        } throws: { error in
            guard case CyclesError.validation(let issue) = error else { return false }
            return issue.field == "amount"
        }
    }

    @Test func descriptionsAreReadBack() throws {
        for unit in [BudgetUnit.usdMicrocents, .tokens, .credits, .riskPoints] {
            for number in [0, 1, 5_000, Int64.max] {
                let amount = Amount(number, unit)
                #expect(try Amount(parsing: "\(amount)") == amount)
            }
        }
    }

    @Test func amountsOfOneUnitAreAdded() {
        #expect(Amount.tokens(40).adding(.tokens(2)) == .tokens(42))
        #expect(Amount.tokens(40).adding(.credits(2)) == nil)
        #expect(Amount.tokens(Int64.max).adding(.tokens(1)) == nil)
        #expect(Amount.tokens(Int64.min).adding(.tokens(-1)) == nil)
        #expect(
            Amount(1, .unrecognized("GPU")).adding(Amount(2, .unrecognized("GPU"))) == Amount(3, .unrecognized("GPU"))
        )
    }
}

@Suite struct TokenPriceTests {
    @Test func costsAreDollarsPerMillionTokens() throws {
        let price = try TokenPrice(input: "2.50", output: "10.00")
        #expect(price.cost(input: 1_000_000) == .usd(2.5))
        #expect(price.cost(output: 1_000_000) == .usd(10))
        #expect(price.cost(input: 1_200, output: 340) == .usdMicrocents(640_000))
        #expect(price.cost() == .usdMicrocents(0))
    }

    @Test func bucketsWithoutAPriceTakeThatOfInputOrOutput() throws {
        let price = try TokenPrice(input: "3", output: "15")
        #expect(price.cost(cachedInput: 1_000_000) == .usd(3))
        #expect(price.cost(cacheWrite: 1_000_000) == .usd(3))
        #expect(price.cost(reasoning: 1_000_000) == .usd(15))
        let own = try TokenPrice(input: "3", output: "15", cachedInput: "0.30", cacheWrite: "3.75", reasoning: "20")
        #expect(own.cost(cachedInput: 1_000_000) == .usd(0.3))
        #expect(own.cost(cacheWrite: 1_000_000) == .usd(3.75))
        #expect(own.cost(reasoning: 1_000_000) == .usd(20))
    }

    @Test func theSumOfAllBucketsIsRoundedUpOnce() throws {
        // A token costs 0.4 microcents: two buckets of one token cost 0.8, which is one microcent and not two.
        let price = try TokenPrice(input: "0.004", output: "0.004")
        #expect(price.cost(input: 1) == .usdMicrocents(1))
        #expect(price.cost(input: 1, output: 1) == .usdMicrocents(1))
        #expect(price.cost(input: 1, output: 1, cachedInput: 1, cacheWrite: 1, reasoning: 1) == .usdMicrocents(2))
    }

    @Test func negativeCountsAreZero() throws {
        let price = try TokenPrice(input: "1", output: "1")
        #expect(price.cost(input: -5, output: 1_000_000) == .usd(1))
        #expect(price.cost(input: .min, reasoning: .min) == .usdMicrocents(0))
    }

    @Test func costsSaturate() throws {
        let price = try TokenPrice(input: "999999.99999999", output: "999999.99999999")
        let all = Int.max
        #expect(
            price.cost(input: all, output: all, cachedInput: all, cacheWrite: all, reasoning: all)
                == .usdMicrocents(Int64.max)
        )
        let cheap = try TokenPrice(input: "0.01", output: "0")
        #expect(cheap.cost(input: .max) == .usdMicrocents(Int64.max))
        #expect(cheap.cost(output: .max) == .usdMicrocents(0))
    }

    @Test(arguments: [
        "", " ", "-1", "+1", "1e3", "1,5", ".5", "5.", "1000000", "0.000000001", "0000001", "nan", "2.50 ", "$2",
        "1.2.3",
        "٣",
    ])
    func textsThatAreNoPricesAreRefusedWithTheBucket(text: String) {
        let attempts: [(String, () throws -> TokenPrice)] = [
            ("input", { try TokenPrice(input: text, output: "1") }),
            ("output", { try TokenPrice(input: "1", output: text) }),
            ("cachedInput", { try TokenPrice(input: "1", output: "1", cachedInput: text) }),
            ("cacheWrite", { try TokenPrice(input: "1", output: "1", cacheWrite: text) }),
            ("reasoning", { try TokenPrice(input: "1", output: "1", reasoning: text) }),
        ]
        for (bucket, attempt) in attempts {
            #expect {
                _ = try attempt()
            } throws: { error in
                guard case CyclesError.configuration(let issue) = error else { return false }
                return issue.name == "TokenPrice.\(bucket)"
            }
        }
    }
}
