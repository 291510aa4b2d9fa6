/// The prices of a language model's tokens, in US dollars per million tokens.
///
/// ```swift
/// let price = try TokenPrice(input: "2.50", output: "10.00", cachedInput: "1.25")
/// let cost = price.cost(input: 1_200, output: 340, cachedInput: 800)
/// ```
///
/// Prices are read as decimals and multiplied as integers, without binary fractions. The package contains no prices,
/// since providers change them.
public struct TokenPrice: Hashable, Sendable {
    // Microcents per million tokens, at most 10^14.
    private let input, output, cachedInput, cacheWrite, reasoning: Int64

    /// Creates prices from texts such as `2.50`: at most 6 digits before the point and 8 after it, without a sign or an
    /// exponent.
    /// - Parameters:
    ///   - input: The price of input tokens that no other parameter counts.
    ///   - output: The price of output tokens that no other parameter counts.
    ///   - cachedInput: The price of input tokens that are read from a cache; nil means the price of input.
    ///   - cacheWrite: The price of input tokens that are written to a cache; nil means the price of input.
    ///   - reasoning: The price of reasoning tokens; nil means the price of output.
    /// - Throws: ``CyclesError/configuration(_:)`` with the name of the parameter that is not such a text.
    public init(
        input: String,
        output: String,
        cachedInput: String? = nil,
        cacheWrite: String? = nil,
        reasoning: String? = nil
    ) throws(CyclesError) {
        self.input = try TokenPrice.rate(input, "input")
        self.output = try TokenPrice.rate(output, "output")
        self.cachedInput = try TokenPrice.rate(cachedInput ?? input, "cachedInput")
        self.cacheWrite = try TokenPrice.rate(cacheWrite ?? input, "cacheWrite")
        self.reasoning = try TokenPrice.rate(reasoning ?? output, "reasoning")
    }

    private static func rate(_ text: String, _ bucket: String) throws(CyclesError) -> Int64 {
        guard let numeral = DecimalNumeral(text.utf8), numeral.wholeDigits <= 6, numeral.fractionDigits <= 8,
            let rate = numeral.rounded(toPlaces: Amount.dollarPlaces)
        else {
            let message =
                "is \"\(text)\", which is not a price in dollars per million tokens; write a number such as 2.50, with at "
                + "most 6 digits before the point and 8 after it"
            throw .configuration(ConfigurationIssue(name: "TokenPrice.\(bucket)", message: message))
        }
        return rate
    }

    /// Returns the cost of tokens in microcents. The sum of all products is exact, and rounded up once.
    ///
    /// Count each token in one parameter only. Providers often report cached tokens as a part of the input, and
    /// reasoning tokens as a part of the output: subtract them from `input` and `output`. A negative count is treated
    /// as 0. A cost beyond `Int64` is `Int64.max`.
    public func cost(
        input: Int = 0,
        output: Int = 0,
        cachedInput: Int = 0,
        cacheWrite: Int = 0,
        reasoning: Int = 0
    ) -> Amount {
        let buckets = [
            (input, self.input), (output, self.output), (cachedInput, self.cachedInput), (cacheWrite, self.cacheWrite),
            (reasoning, self.reasoning),
        ]
        // Five products of at most 2^63 and 10^14 are far below 2^128.
        let total = buckets.reduce(UInt128(0)) { $0 + UInt128(max(0, $1.0)) * UInt128($1.1) }
        let (quotient, rest) = total.quotientAndRemainder(dividingBy: 1_000_000)
        return .usdMicrocents(Int64(clamping: quotient + (rest == 0 ? 0 : 1)))
    }
}
