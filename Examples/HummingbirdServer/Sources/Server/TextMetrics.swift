import CoreMetrics
import Synchronization

/// Keeps metrics in memory and prints them as text. A service uses a backend such as Prometheus instead.
final class TextMetrics: MetricsFactory {
    /// One metric: a sum for counters and timers, the latest value for meters and recorders.
    final class Metric: CounterHandler, TimerHandler, RecorderHandler, MeterHandler {
        let name: String
        private let value = Mutex<Double>(0)

        init(_ label: String, _ dimensions: [(String, String)]) {
            name = label + dimensions.map { " \($0)=\($1)" }.joined()
        }

        var latest: Double { value.withLock { $0 } }

        func increment(by amount: Int64) { value.withLock { $0 += Double(amount) } }
        func reset() { value.withLock { $0 = 0 } }
        func recordNanoseconds(_ duration: Int64) { value.withLock { $0 += Double(duration) / 1e9 } }
        func record(_ amount: Int64) { set(Double(amount)) }
        func record(_ amount: Double) { set(amount) }
        func set(_ amount: Int64) { set(Double(amount)) }
        func set(_ amount: Double) { value.withLock { $0 = amount } }
        func increment(by amount: Double) { value.withLock { $0 += amount } }
        func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    }

    private let metrics = Mutex<[Metric]>([])

    var text: String {
        metrics.withLock { $0 }.map { "\($0.name) \($0.latest)" }.sorted().joined(separator: "\n") + "\n"
    }

    private func make(_ label: String, _ dimensions: [(String, String)]) -> Metric {
        let metric = Metric(label, dimensions)
        metrics.withLock { $0.append(metric) }
        return metric
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { make(label, dimensions) }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { make(label, dimensions) }
    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { make(label, dimensions) }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        make(label, dimensions)
    }

    func destroyCounter(_: any CounterHandler) {}
    func destroyTimer(_: any TimerHandler) {}
    func destroyMeter(_: any MeterHandler) {}
    func destroyRecorder(_: any RecorderHandler) {}
}
