/// The usage that an element of a metered stream reports.
public enum Usage: Hashable, Sendable {
    /// An amount to add to the recorded spend.
    case added(Amount)
    /// The amount used so far; replaces the recorded spend.
    case total(Amount)
}

/// The elements of a stream whose usage is recorded and charged.
///
/// Each iteration makes its own reservation. The first call of `next()` reserves budget and then creates the stream, so
/// that the caps are known before a model is called. Elements are passed through unchanged, one per call. The usage
/// that they report is recorded, and committed when the stream ends.
///
/// A stream that fails is charged for the usage up to then, and its error is rethrown. If the iterator is discarded
/// before the end, the usage is charged in the background. Without any reported usage, the hold is released if there
/// was no element; otherwise ``CyclesOptions/whenActualUnknown`` applies.
public struct MeteredSequence<Base: AsyncSequence>: AsyncSequence {
    /// The stream's elements.
    public typealias Element = Base.Element

    private let core: ClientCore
    private let options: CyclesOptions
    private let usage: (Base.Element) -> Usage?
    private let makeStream: (CyclesContext) async throws -> Base

    init(
        _ core: ClientCore,
        _ options: CyclesOptions,
        usage: @escaping (Base.Element) -> Usage?,
        _ makeStream: @escaping (CyclesContext) async throws -> Base
    ) {
        self.core = core
        self.options = options
        self.usage = usage
        self.makeStream = makeStream
    }

    /// Starts an iteration. Budget is reserved at the first call of `next()`.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(meter: Meter(core, options, usage: usage, makeStream))
    }

    /// An iteration over the elements, with its own reservation.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let meter: Meter<Base>

        /// Returns the next element; nil after the last, once the usage is settled.
        /// - Throws: Errors of the stream; ``CyclesError`` if budget is not granted, `validation` if the stream ends
        ///   without reported usage under ``UnknownActualPolicy/fail``, and `leaseLost` under the policies
        ///   ``HeartbeatPolicy/failOnFinalize`` and ``HeartbeatPolicy/cancel``.
        public mutating func next() async throws -> Base.Element? { try await meter.next(isolation: #isolation) }

        /// Returns the next element; nil after the last, once the usage is settled.
        /// - Throws: As ``next()``.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Base.Element? {
            try await meter.next(isolation: actor)
        }
    }
}

/// The state of one iteration. Deinitialization settles the usage so far.
private final class Meter<Base: AsyncSequence> {
    private enum State {
        case idle
        case running(GuardedWork, Base.AsyncIterator)
        case ended
    }

    private let core: ClientCore
    private let options: CyclesOptions
    private let usage: (Base.Element) -> Usage?
    private let makeStream: (CyclesContext) async throws -> Base
    private var state = State.idle
    private var hasElements = false

    init(
        _ core: ClientCore,
        _ options: CyclesOptions,
        usage: @escaping (Base.Element) -> Usage?,
        _ makeStream: @escaping (CyclesContext) async throws -> Base
    ) {
        self.core = core
        self.options = options
        self.usage = usage
        self.makeStream = makeStream
    }

    deinit {
        guard case .running(let work, _) = state else { return }
        work.end(work.ending(ofStreamWithElements: hasElements), nil)
    }

    func next(isolation: isolated (any Actor)?) async throws -> Base.Element? {
        switch state {
        case .ended: return nil
        case .idle: try await begin(isolation: isolation)
        case .running: break
        }
        guard case .running(let work, var iterator) = state else { return nil }
        if core.heartbeat == .cancel, var loss = work.held.loss {
            loss.settlement = try? await end(work).get()
            throw CyclesError.leaseLost(loss)
        }
        // Drops the copy in `state`, so that the iterator is uniquely referenced.
        state = .ended
        let element: Base.Element?
        do {
            element = try await CyclesContext.$current.withValue(CyclesContext(work.held)) {
                try await iterator.next(isolation: isolation)
            }
        } catch {
            _ = await work.end(work.ending(ofFailedStreamWithElements: hasElements))
            throw error
        }
        guard let element else {
            let loss = core.heartbeat == .cancel ? work.held.loss : nil
            let ending = work.ending(ofStreamWithElements: hasElements)
            let result = await work.end(ending)
            if var loss {
                loss.settlement = try? result.get()
                throw CyclesError.leaseLost(loss)
            }
            if let failure = GuardedWork.failure(result, ending) { throw failure }
            return nil
        }
        state = .running(work, iterator)
        hasElements = true
        switch usage(element) {
        case .added(let amount): work.held.addSpend(amount)
        case .total(let amount): work.held.setSpend(amount)
        case nil: break
        }
        return element
    }

    private func begin(isolation: isolated (any Actor)?) async throws {
        state = .ended
        let work = GuardedWork(core, try await core.reserve(options.request), options)
        let context = CyclesContext(work.held)
        do {
            let stream = try await CyclesContext.$current.withValue(context) { try await makeStream(context) }
            state = .running(work, stream.makeAsyncIterator())
        } catch {
            _ = await work.end(work.ending(ofFailedStreamWithElements: false))
            throw error
        }
    }

    private func end(_ work: GuardedWork) async -> Result<Settlement, CyclesError> {
        state = .ended
        return await work.end(work.ending(ofStreamWithElements: hasElements))
    }
}

extension GuardedWork {
    /// The ending of a stream that finished, or was discarded.
    fileprivate func ending(ofStreamWithElements hasElements: Bool) -> Ending {
        if held.hasSpent { return .settle(actual: nil) }
        if let recorded = held.recordedSpend { return ending(actual: .success(recorded)) }
        return hasElements ? ending(actual: nil) : .release
    }

    fileprivate func ending(ofFailedStreamWithElements hasElements: Bool) -> Ending {
        let failsBeforeAnyWord = !hasElements && held.recordedSpend == nil
        return failsBeforeAnyWord ? endingAfterFailure : ending(ofStreamWithElements: hasElements)
    }
}
