#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Tasks that one thread resumes together.
///
/// Resuming each task from the thread costs two context switches per task. A collecting thread resumes only the first
/// task, which resumes the others. If the first task does not get to run, the thread resumes the others with
/// ``resumeAll()``.
package final class Resumptions: Sendable {
    package typealias Resumption = @Sendable (_ others: Resumptions?) -> Void

    private let waiting = Lock<[Resumption]>([])

    package init() {}

    /// Resumes a task: at once, or together with others if this thread collects.
    static func resume(_ resumption: @escaping Resumption) {
        if let collector = pthread_getspecific(key) {
            Unmanaged<Resumptions>.fromOpaque(collector).takeUnretainedValue().waiting.withLock {
                $0.append(resumption)
            }
        } else {
            resumption(nil)
        }
    }

    /// Collects the tasks that `body` resumes on this thread. Then resumes the first task, which resumes the others.
    package func collect(_ body: () -> Void) {
        pthread_setspecific(Resumptions.key, Unmanaged.passUnretained(self).toOpaque())
        body()
        pthread_setspecific(Resumptions.key, nil)
        let first = waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        first?(self)
    }

    /// Whether this thread collects, as a transport's thread does while it works.
    package static var isCollecting: Bool { pthread_getspecific(key) != nil }

    /// Whether collected tasks have not been resumed yet.
    package var isPending: Bool { waiting.withLock { !$0.isEmpty } }

    /// Resumes all collected tasks.
    package func resumeAll() {
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for resumption in all { resumption(nil) }
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()
}
