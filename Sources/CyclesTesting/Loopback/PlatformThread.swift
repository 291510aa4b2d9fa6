#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A thread of the operating system.
///
/// Servers that block in system calls run on threads of their own: a blocked thread of the concurrency runtime would
/// be missing to everyone else.
package struct PlatformThread: @unchecked Sendable {
    // Unchecked since the handle is a pointer on some platforms; it is only handed to functions made for any thread.
    private let handle: pthread_t

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `body` on a new thread; nil if the system has none to give. It has to be joined or detached.
    package static func start(stackBytes: Int, _ body: @escaping @Sendable () -> Void) -> PlatformThread? {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return nil }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        let argument = Unmanaged.passRetained(Body(body))
        #if canImport(Glibc)
            var handle = pthread_t()
        #else
            var handle: pthread_t?
        #endif
        guard pthread_create(&handle, &attributes, enterThread, argument.toOpaque()) == 0 else {
            argument.release()
            return nil
        }
        #if canImport(Glibc)
            return PlatformThread(handle: handle)
        #else
            return handle.map { PlatformThread(handle: $0) }
        #endif
    }

    /// Waits for the end of the thread.
    package func join() { pthread_join(handle, nil) }

    /// Lets the thread end on its own.
    package func detach() { pthread_detach(handle) }

    /// Lets other threads run.
    package static func yield() { sched_yield() }

    /// Whether this is the thread that asks.
    package var isCurrent: Bool { pthread_equal(handle, pthread_self()) != 0 }

    fileprivate static func run(_ argument: UnsafeMutableRawPointer) {
        Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
    }
}

#if canImport(Darwin)
    private func enterThread(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        PlatformThread.run(argument)
        return nil
    }
#else
    private func enterThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let argument { PlatformThread.run(argument) }
        return nil
    }
#endif
