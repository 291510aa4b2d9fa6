extension CyclesClient {
    /// Holds budget for a stream, passes its elements on, and commits what they say they used.
    ///
    /// ```swift
    /// let chunks = client.metered(options, usage: { $0.tokens.map { .total(.tokens($0)) } }) { context in
    ///     try await model.stream(prompt, maxTokens: context.caps?.maxTokens)
    /// }
    /// for try await chunk in chunks { print(chunk.text) }
    /// ```
    /// - Parameters:
    ///   - options: What to reserve.
    ///   - usage: What an element says was used, if it says anything: more of it, or all of it up to now. Model APIs do
    ///     both.
    ///   - makeStream: Makes the stream, once budget is held and the caps are known.
    /// - Returns: The stream's elements. Each iteration reserves anew, at its first element.
    public func metered<Stream: AsyncSequence>(
        _ options: CyclesOptions,
        usage: @escaping (Stream.Element) -> Usage?,
        _ makeStream: @escaping (CyclesContext) async throws -> Stream
    ) -> MeteredSequence<Stream> {
        MeteredSequence(core, options, usage: usage, makeStream)
    }
}
