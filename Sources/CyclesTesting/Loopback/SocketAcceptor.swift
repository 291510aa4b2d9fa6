import Cycles
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Counts the connections accepted in all runs of a server.
final class ConnectionCounter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .sequentiallyConsistent) }

    func increment() { count.wrappingAdd(1, ordering: .sequentiallyConsistent) }
}

/// Accepts connections on one thread and serves each on another until it is stopped.
///
/// The acceptor's threads keep it alive, so that its owner must stop it.
final class SocketAcceptor: Sendable {
    private struct Entry {
        var socket: ConnectionSocket
        var thread: SystemThread
    }

    private struct Registry {
        var isStopping = false
        var acceptThread: SystemThread?
        var open: [Int: Entry] = [:]
        var nextIdentifier = 0
        /// A connection's thread that has ended and is not joined. The next thread that ends joins it: there is at most
        /// one.
        var ended: SystemThread?
    }

    private static let acceptStackBytes = 128 * 1_024
    private static let pauseWhenExhausted = Duration.milliseconds(100)

    private let listener: ListeningSocket
    private let pipe: WakePipe
    private let maxConnections: Int
    private let stackBytes: Int
    private let counter: ConnectionCounter
    private let serve: @Sendable (ConnectionSocket) -> Void
    private let registry = Lock(Registry())

    /// Starts accepting connections, and takes ownership of the listener.
    ///
    /// - Parameter serve: Serves a connection on its thread. The connection is closed when it returns.
    init(
        listener: ListeningSocket,
        maxConnections: Int,
        stackBytes: Int = 512 * 1_024,
        counter: ConnectionCounter,
        serve: @escaping @Sendable (ConnectionSocket) -> Void
    ) throws(SocketError) {
        self.listener = listener
        self.maxConnections = max(1, maxConnections)
        self.stackBytes = stackBytes
        self.counter = counter
        self.serve = serve
        do throws(SocketError) {
            pipe = try WakePipe()
        } catch {
            listener.close()
            throw error
        }
        let thread = SystemThread.start(stackSize: SocketAcceptor.acceptStackBytes) { self.acceptConnections() }
        guard let thread else {
            listener.close()
            pipe.close()
            throw SocketError("pthread_create", code: EAGAIN)
        }
        registry.withLock { $0.acceptThread = thread }
    }

    /// The number of open connections.
    var openCount: Int { registry.withLock { $0.open.count } }

    /// Closes the listener, breaks all connections and waits for the threads. Further calls have no effect.
    ///
    /// A call within `serve` does not wait for its own thread, which ends when `serve` returns.
    func stop() {
        let threads: [SystemThread]? = registry.withLock { registry in
            guard !registry.isStopping else { return nil }
            registry.isStopping = true
            var threads: [SystemThread] = []
            if let thread = registry.acceptThread { threads.append(thread) }
            if let thread = registry.ended { threads.append(thread) }
            for entry in registry.open.values {
                entry.socket.disconnect()
                threads.append(entry.thread)
            }
            return threads
        }
        guard let threads else { return }
        pipe.wake()
        for thread in threads {
            if thread == .current { thread.detach() } else { thread.join() }
        }
        // No thread uses these descriptors now: the accepting thread has ended, and connections use the pipe only
        // before the stop.
        listener.close()
        pipe.close()
    }

    private func acceptConnections() {
        var isExhausted = false
        while true {
            let (isStopping, isFull) = registry.withLock { ($0.isStopping, $0.open.count >= maxConnections) }
            if isStopping { return }
            // A full server leaves further connections in the listener's backlog until a connection ends and wakes this
            // thread.
            let listens = !isFull && !isExhausted
            var entries = [
                pollfd(fd: pipe.readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let timeout = isExhausted ? Int32(SocketAcceptor.pauseWhenExhausted.wholeMilliseconds) : -1
            let ready = poll(&entries, listens ? 2 : 1, timeout)
            isExhausted = false
            guard ready > 0 else { continue }
            if entries[0].revents != 0 { pipe.drain() }
            guard listens, entries[1].revents != 0 else { continue }
            switch listener.accept() {
            case .connection(let socket): isExhausted = !open(socket)
            case .nobody: break
            case .exhausted: isExhausted = true
            }
        }
    }

    /// Serves a connection on its own thread. Returns false if no thread can be started.
    private func open(_ socket: ConnectionSocket) -> Bool {
        counter.increment()
        // The lock is held, so that the thread cannot end before it is registered.
        return registry.withLock { registry in
            guard !registry.isStopping else {
                socket.close()
                return true
            }
            let identifier = registry.nextIdentifier
            let thread = SystemThread.start(stackSize: stackBytes) {
                self.serve(socket)
                self.end(identifier)
            }
            guard let thread else {
                socket.close()
                return false
            }
            registry.nextIdentifier += 1
            registry.open[identifier] = Entry(socket: socket, thread: thread)
            return true
        }
    }

    private func end(_ identifier: Int) {
        let predecessor: SystemThread? = registry.withLock { registry in
            let wasFull = registry.open.count >= maxConnections
            guard let entry = registry.open.removeValue(forKey: identifier) else { return nil }
            // The lock is held, so that `stop` never uses a descriptor that has been reused.
            entry.socket.close()
            // During a stop, `stop` joins this thread, and the pipe may be closed.
            guard !registry.isStopping else { return nil }
            if wasFull { pipe.wake() }
            defer { registry.ended = entry.thread }
            return registry.ended
        }
        predecessor?.join()
    }
}
