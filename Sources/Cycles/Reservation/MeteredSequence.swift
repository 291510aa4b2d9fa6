/// The usage that an element of a metered stream reports.
public enum Usage: Hashable, Sendable {
    /// An amount to add to the recorded spend.
    case added(Amount)
    /// The amount used so far; replaces the recorded spend.
    case total(Amount)
}

/// The elements of a stream whose usage is recorded and charged.
///
/// Elements are passed through unchanged, one per call of `next()`. Their usage is recorded, and committed when the
/// stream ends. If the stream fails, the usage up to then is charged, and the stream's error is rethrown. If the
/// iterator is discarded before the end, the usage is charged in the background. Without recorded spend, the hold is
/// released if there was no element; otherwise ``UnknownActualPolicy`` applies.
///
/// A sequence from ``CyclesClient/metered(_:usage:_:)`` makes a reservation for each iteration. The first call of
/// `next()` reserves budget and then creates the stream, so that the caps are known before a model is called.
///
/// A sequence from ``ReservationGuard/metering(_:usage:whenActualUnknown:)`` owns a guard, which pays for one
/// iteration. Copies share that iteration: the first call of `next()` takes the guard, and any other iteration throws
/// ``CyclesError/validation(_:)`` at its first call. A sequence that is never iterated ends like a guard that goes out
/// of scope.
///
/// A sequence can be sent to another task if its stream can. Iterators stay in their task.
public struct MeteredSequence<Base: AsyncSequence>: AsyncSequence {
    /// The stream's elements.
    public typealias Element = Base.Element

    fileprivate enum Source {
        /// Each iteration makes a reservation, and then creates its stream.
        case reserving(ClientScope, CyclesOptions, @Sendable (CyclesContext) async throws -> Base)
        /// The first iteration takes the guard.
        case held(GuardBox, UnknownActualPolicy, Base)
    }

    private let source: Source
    private let usage: @Sendable (Base.Element) -> Usage?

    init(
        _ scope: ClientScope,
        _ options: CyclesOptions,
        usage: @escaping @Sendable (Base.Element) -> Usage?,
        _ makeStream: @escaping @Sendable (CyclesContext) async throws -> Base
    ) {
        source = .reserving(scope, options, makeStream)
        self.usage = usage
    }

    init(
        _ reservation: consuming ReservationGuard,
        _ stream: Base,
        usage: @escaping @Sendable (Base.Element) -> Usage?,
        _ whenActualUnknown: UnknownActualPolicy
    ) {
        source = .held(GuardBox(reservation), whenActualUnknown, stream)
        self.usage = usage
    }

    /// Starts an iteration. Its first call of `next()` reserves budget, or takes the guard.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(meter: Meter(source, usage: usage)) }

    /// An iteration over the elements, paid by one reservation.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let meter: Meter<Base>

        /// Returns the next element; nil after the last, once the usage is settled.
        /// - Throws: Errors of the stream; ``CyclesError`` if budget is not granted, `validation` if the stream ends
        ///   without reported usage under ``UnknownActualPolicy/fail`` or if another iteration has taken the guard, and
        ///   `leaseLost` under the policies ``HeartbeatPolicy/failOnFinalize`` and ``HeartbeatPolicy/cancel``.
        public mutating func next() async throws -> Base.Element? { try await meter.next(isolation: #isolation) }

        /// Returns the next element; nil after the last, once the usage is settled.
        /// - Throws: As ``next()``.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Base.Element? {
            try await meter.next(isolation: actor)
        }
    }
}

extension MeteredSequence: Sendable where Base: Sendable {}
extension MeteredSequence.Source: Sendable where Base: Sendable {}

/// The state of one iteration. Deinitialization settles the usage so far.
private final class Meter<Base: AsyncSequence> {
    private enum State {
        case idle(MeteredSequence<Base>.Source)
        case running(GuardedWork, Base.AsyncIterator)
        case ended
    }

    private let usage: @Sendable (Base.Element) -> Usage?
    private var state: State
    private var hasElements = false
    /// The guard that the iteration has taken. Lives until the work has ended.
    private var reservation: ReservationGuard?

    init(_ source: MeteredSequence<Base>.Source, usage: @escaping @Sendable (Base.Element) -> Usage?) {
        state = .idle(source)
        self.usage = usage
    }

    deinit {
        guard case .running(let work, _) = state else { return }
        work.end(work.ending(ofStreamWithElements: hasElements), nil)
    }

    func next(isolation: isolated (any Actor)?) async throws -> Base.Element? {
        switch state {
        case .ended: return nil
        case .idle(let source): try await begin(source, isolation: isolation)
        case .running: break
        }
        guard case .running(let work, var iterator) = state else { return nil }
        if work.isCancelledByLoss, var loss = work.held.loss {
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
            let loss = work.isCancelledByLoss ? work.held.loss : nil
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

    private func begin(_ source: MeteredSequence<Base>.Source, isolation: isolated (any Actor)?) async throws {
        state = .ended
        switch source {
        case .reserving(let scope, let options, let makeStream):
            let work = GuardedWork(try await scope.reserve(options.request), options)
            let context = CyclesContext(work.held)
            do {
                let stream = try await CyclesContext.$current.withValue(context) { try await makeStream(context) }
                state = .running(work, stream.makeAsyncIterator())
            } catch {
                _ = await work.end(work.ending(ofFailedStreamWithElements: false))
                throw error
            }
        case .held(let box, let whenActualUnknown, let stream):
            reservation = box.take()
            guard let held = reservation?.held else { throw CyclesError.validation(.iteratedBefore) }
            let work = GuardedWork(held, whenActualUnknown: whenActualUnknown)
            state = .running(work, stream.makeAsyncIterator())
        }
    }

    private func end(_ work: GuardedWork) async -> Result<Settlement, CyclesError> {
        state = .ended
        return await work.end(work.ending(ofStreamWithElements: hasElements))
    }
}

extension GuardedWork {
    /// Whether a lost lease ends the stream at its next element.
    fileprivate var isCancelledByLoss: Bool { held.scope.heartbeat == .cancel }

    /// Returns the ending of a stream that finished or was discarded.
    fileprivate func ending(ofStreamWithElements hasElements: Bool) -> Ending {
        hasElements || held.hasSpent || held.recordedSpend != nil ? ending(actual: nil) : .release
    }

    fileprivate func ending(ofFailedStreamWithElements hasElements: Bool) -> Ending {
        let failsBeforeAnyWord = !hasElements && held.recordedSpend == nil
        return failsBeforeAnyWord ? endingAfterFailure : ending(ofStreamWithElements: hasElements)
    }
}

extension ValidationIssue {
    fileprivate static let iteratedBefore = ValidationIssue(
        field: "sequence",
        message: "was iterated before, and its reservation pays for one iteration: reserve again and meter a new stream"
    )
}
