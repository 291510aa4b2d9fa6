/// A model that answers with a few words, one at a time, in the way a hosted model streams tokens.
struct Model {
    struct Chunk: Sendable {
        let text: String
        /// The tokens of prompt and answer together. Only the last chunk has the number.
        let usage: Int?
    }

    /// The tokens of the longest answer.
    let longestAnswer = 50

    func tokens(in prompt: String) -> Int { max(1, prompt.utf8.count / 4) }

    func answer(to prompt: String) -> AsyncStream<Chunk> {
        let words = 10 + prompt.utf8.count % 40
        let usage = tokens(in: prompt) + words
        return AsyncStream { chunks in
            let task = Task {
                for word in 1...words where !Task.isCancelled {
                    chunks.yield(Chunk(text: "word\(word) ", usage: nil))
                    try? await Task.sleep(for: .milliseconds(1))
                }
                chunks.yield(Chunk(text: "\nusage: \(usage)\n", usage: usage))
                chunks.finish()
            }
            chunks.onTermination = { _ in task.cancel() }
        }
    }
}
