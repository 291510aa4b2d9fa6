extension CyclesClient {
    /// Reserves budget for a stream, passes its elements through, and commits the usage that they report.
    ///
    /// ```swift
    /// let chunks = client.metered(options, usage: { $0.tokens.map { .total(.tokens($0)) } }) { context in
    ///     try await model.stream(prompt, maxTokens: context.caps?.maxTokens)
    /// }
    /// for try await chunk in chunks { print(chunk.text) }
    /// ```
    /// A caller that has to know about a denial before the stream is read, such as a server that chooses a status,
    /// reserves first and uses ``ReservationGuard/metering(_:usage:whenActualUnknown:)``.
    /// - Parameters:
    ///   - options: The reservation request, and the policies for failures and unknown costs.
    ///   - usage: Returns the usage that an element reports, as an increment or a total; nil if it reports none.
    ///   - makeStream: Creates the stream once budget is held and the caps are known.
    /// - Returns: The stream's elements. Each iteration makes its own reservation, at its first element.
    public func metered<Stream: AsyncSequence>(
        _ options: CyclesOptions,
        usage: @escaping @Sendable (Stream.Element) -> Usage?,
        _ makeStream: @escaping @Sendable (CyclesContext) async throws -> Stream
    ) -> MeteredSequence<Stream> {
        MeteredSequence(scope, options, usage: usage, makeStream)
    }
}
