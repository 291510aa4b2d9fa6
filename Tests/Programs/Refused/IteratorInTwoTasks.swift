import Cycles

func misuse(_ chunks: MeteredSequence<AsyncStream<Int>>) async throws {
    var iterator = chunks.makeAsyncIterator()
    let task = Task { try await iterator.next() }
    _ = try await iterator.next()
    _ = try await task.value
}
