/// Suspends the task until `done` is called with a value. `begin` receives `done`, and arranges for exactly one call,
/// on any thread.
@inline(__always)
package func awaiting<Value: Sendable>(
    _ begin: (_ done: @escaping @Sendable (Value) -> Void) -> Void
) async -> Value {
    typealias Arrival = (value: Value, others: Resumptions?)
    let arrival = await withUnsafeContinuation { (continuation: UnsafeContinuation<Arrival, Never>) in
        begin { value in
            Resumptions.resume { others in continuation.resume(returning: (value, others)) }
        }
    }
    arrival.others?.resumeAll()
    return arrival.value
}

/// Blocks the thread until `done` is called with a value. `begin` receives `done`, and arranges for exactly one call,
/// on any thread. The calling thread must be allowed to block.
/// - Parameter time: A clock whose alarms the thread runs while it waits, if the system has no thread for them.
package func blocking<Value: Sendable>(
    helping time: (any TimeSource)? = nil,
    _ begin: (_ done: @escaping @Sendable (Value) -> Void) -> Void
) -> Value {
    let result = WaitableLock<Value?>(nil)
    begin { value in result.withLock { $0 = value } }
    if let value = result.withLock({ $0 }) { return value }
    guard let time else { return result.wait { $0 } }
    return result.wait(helping: time) { $0 }
}
