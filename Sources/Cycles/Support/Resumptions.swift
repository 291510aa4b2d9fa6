#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The tasks that one thread resumes together.
///
/// A task that is resumed on its own costs two switches between threads. A thread that collects resumes only the first
/// task, which resumes the others. Tasks that the first has not resumed, since nothing lets it run, the thread resumes
/// itself with ``resumeAll()``.
package final class Resumptions: Sendable {
    package typealias Resumption = @Sendable (_ others: Resumptions?) -> Void

    private let waiting = Lock<[Resumption]>([])

    package init() {}

    /// Resumes a task: at once, or with the others that this thread collects.
    static func resume(_ resumption: @escaping Resumption) {
        if let collector = pthread_getspecific(key) {
            Unmanaged<Resumptions>.fromOpaque(collector).takeUnretainedValue().waiting.withLock {
                $0.append(resumption)
            }
        } else {
            resumption(nil)
        }
    }

    /// Collects the tasks that `body` resumes on this thread, then resumes the first with the task to resume the others.
    package func collect(_ body: () -> Void) {
        pthread_setspecific(Resumptions.key, Unmanaged.passUnretained(self).toOpaque())
        body()
        pthread_setspecific(Resumptions.key, nil)
        let first = waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        first?(self)
    }

    /// Whether this thread collects, as the thread of a transport does while it works.
    package static var isCollecting: Bool { pthread_getspecific(key) != nil }

    /// Whether tasks wait to be resumed.
    package var isPending: Bool { waiting.withLock { !$0.isEmpty } }

    /// Resumes the tasks that wait.
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
