import Cycles
import Synchronization

/// Passes each event to several observers.
struct Observers: CyclesObserver {
    private let observers: [any CyclesObserver]

    init(_ observers: [any CyclesObserver]) { self.observers = observers }

    func observe(_ event: CyclesEvent) {
        for observer in observers { observer.observe(event) }
    }
}

/// Sums the charged tokens, for comparison with the ledger.
final class Totals: CyclesObserver {
    private let total = Atomic<Int64>(0)

    var charged: Int64 { total.load(ordering: .relaxed) }

    func observe(_ event: CyclesEvent) {
        if case .settled(_, let settlement, _) = event, let charged = settlement.charged {
            total.add(charged.amount, ordering: .relaxed)
        }
    }
}
