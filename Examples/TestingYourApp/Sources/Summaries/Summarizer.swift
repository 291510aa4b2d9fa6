public import Cycles

/// The part of an app that spends budget: asks a model for a summary, under a reservation.
public struct Summarizer: Sendable {
    /// The answer of a model.
    public struct Answer: Sendable {
        /// The summary.
        public var text: String
        /// The tokens that the model charges.
        public var tokens: Int

        /// Creates an answer.
        public init(text: String, tokens: Int) {
            self.text = text
            self.tokens = tokens
        }
    }

    /// The result shown to a reader of the app.
    public enum Outcome: Equatable, Sendable {
        case summary(String)
        case outOfBudget
        case tryLater
    }

    private let client: CyclesClient
    private let model: @Sendable (_ text: String, _ maxTokens: Int64?) async throws -> Answer

    /// Creates a summarizer. `model` receives the number of tokens that the budget's caps allow.
    public init(
        client: CyclesClient,
        model: @escaping @Sendable (_ text: String, _ maxTokens: Int64?) async throws -> Answer
    ) {
        self.client = client
        self.model = model
    }

    /// Summarizes a text. Charges the tokens that the model reports.
    public func summarize(_ text: String) async throws -> Outcome {
        let options = CyclesOptions(estimate: .tokens(500), action: Action(kind: "llm.completion", name: "summary"))
        do {
            let summary = try await client.withCycles(options) { context in
                let answer = try await model(text, context.caps?.maxTokens)
                return (answer.text, Amount.tokens(answer.tokens))
            }
            return .summary(summary)
        } catch CyclesError.denied {
            return .outOfBudget
        } catch let error as CyclesError where error.isRetryable {
            return .tryLater
        }
    }
}
