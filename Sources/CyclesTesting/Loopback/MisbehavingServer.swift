import Cycles
import Synchronization

/// A server on 127.0.0.1 that does what servers should not do, for tests of transports.
///
/// It reads one request of a connection whole and then misbehaves; what is no HTTP counts as whole at once.
package final class MisbehavingServer: Sendable {
    /// What happens to a connection.
    package enum Behavior: Hashable, Sendable {
        /// Nothing is ever answered; the connection stays open until the client or the server ends.
        case silent
        /// The payload goes out byte by byte with this wait before each, then the connection is closed.
        case trickle(intervalMilliseconds: Int, payload: [UInt8])
        /// The head of an answer goes out that announces a body, then the connection is closed without one.
        case closeAfterHeaders
        /// The connection is closed without a byte of an answer.
        case closeBeforeAnswer
        /// The connection is reset without a byte of an answer.
        case reset
        /// These bytes are the answer to the first request, then the connection is closed.
        case answer([UInt8])
        /// These are the answers to the first requests, and the connection stays open after each; the request after them
        /// is read and the connection closed without an answer, as if it had died in between.
        case answers([[UInt8]])
        /// These bytes go out before anything is asked, and once more as the answer to the first request; then the
        /// connection is closed.
        case greeting([UInt8])

        /// As `answers`, with one answer.
        package static func answerOnlyFirst(_ bytes: [UInt8]) -> Behavior { .answers([bytes]) }

        /// Something that is no HTTP at all.
        package static let garbage = Behavior.answer([0x16, 0x03, 0x03, 0x00, 0xFF, 0x0D, 0x0A, 0x0D, 0x0A])

        /// A redirect to another URL.
        package static func redirect(status: Int = 307, to location: String) -> Behavior {
            let head = "HTTP/1.1 \(status) \r\nLocation: \(location)\r\n"
            return .answer(Array((head + "Content-Length: 0\r\nConnection: close\r\n\r\n").utf8))
        }
    }

    /// What its connections share. Not the server itself, whose last reference ends them.
    private final class Shared: Sendable {
        let behaviors: [Behavior]
        let counter = ConnectionCounter()
        let received = Lock<[UInt8]>([])
        let openSockets = Lock<[Int32: ConnectionSocket]>([:])
        private let served = Atomic<Int>(0)

        init(behaviors: [Behavior]) { self.behaviors = behaviors }

        func nextBehavior() -> Behavior {
            let ordinal = served.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue
            return behaviors.isEmpty ? .silent : behaviors[min(ordinal, behaviors.count - 1)]
        }
    }

    private struct State {
        var port: UInt16 = 0
        var acceptor: SocketAcceptor?
    }

    private let shared: Shared
    private let state = Lock(State())

    /// - Parameter behaviors: one for each connection in the order in which they are served; the last one holds for all
    ///   further ones, and with none it is `silent`.
    package init(_ behaviors: Behavior...) { shared = Shared(behaviors: behaviors) }

    deinit { stop() }

    /// Begins to misbehave, on the port that it had if it was started before.
    package func start() throws(SocketError) {
        try state.withLock { (state: inout State) throws(SocketError) in
            guard state.acceptor == nil else { return }
            let listener = try ListeningSocket(host: "127.0.0.1", port: state.port)
            let shared = shared
            state.acceptor = try SocketAcceptor(listener: listener, maxConnections: 1_024, counter: shared.counter) {
                socket in
                shared.openSockets.withLock { $0[socket.descriptor] = socket }
                defer { shared.openSockets.withLock { $0[socket.descriptor] = nil } }
                MisbehavingConnection(socket: socket) { bytes in
                    shared.received.withLock { $0 += bytes }
                }
                .run(shared.nextBehavior())
            }
            state.port = listener.port
        }
    }

    /// Breaks all connections and waits for the threads.
    package func stop() {
        let acceptor = state.withLock { state in
            defer { state.acceptor = nil }
            return state.acceptor
        }
        acceptor?.stop()
    }

    /// Sends bytes on all open connections, which nobody asked for. They have arrived when this returns.
    ///
    /// - Parameter isLast: Whether the server says nothing more on these connections.
    package func interject(_ bytes: [UInt8], isLast: Bool) {
        shared.openSockets.withLock { sockets in
            for socket in sockets.values {
                _ = socket.send(bytes, until: .now + .seconds(10))
                if isLast { socket.endSending() }
            }
        }
    }

    /// The port; 0 before the first start.
    package var port: UInt16 { state.withLock { $0.port } }

    /// `http://127.0.0.1:` and the port.
    package var baseURL: String { "http://127.0.0.1:\(port)" }

    /// How many connections were accepted in all.
    package var acceptedConnections: Int { shared.counter.value }

    /// How many connections are open.
    package var openConnections: Int { state.withLock { $0.acceptor }?.openCount ?? 0 }

    /// All bytes so far, of all connections in the order in which they came.
    package var receivedBytes: [UInt8] { shared.received.withLock { $0 } }
}

/// One connection that goes wrong.
private struct MisbehavingConnection {
    /// For clients that never end. Longer than a busy machine keeps a test waiting, which would take the end of the patience
    /// for something that its client did.
    private static let patience = Duration.seconds(600)

    let socket: ConnectionSocket
    let note: ([UInt8]) -> Void

    func run(_ behavior: MisbehavingServer.Behavior) {
        var parser = HTTPRequestParser()
        if case .greeting(let bytes) = behavior {
            guard socket.send(bytes, until: deadline) else { return }
        }
        guard receiveRequest(&parser) else { return }
        switch behavior {
        case .silent: waitForTheEnd()
        case .trickle(let interval, let payload):
            for byte in payload {
                guard pass(.milliseconds(interval)) else { return }
                guard socket.send([byte], until: deadline) else { return }
            }
            finish()
        case .closeAfterHeaders:
            send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
            finish()
        case .closeBeforeAnswer: break
        case .reset: socket.resetOnClose()
        case .answer(let bytes), .greeting(let bytes):
            guard socket.send(bytes, until: deadline) else { return }
            finish()
        case .answers(let answers):
            for bytes in answers {
                guard socket.send(bytes, until: deadline), receiveRequest(&parser) else { return }
            }
        }
    }

    private var deadline: ContinuousClock.Instant { ContinuousClock.now + MisbehavingConnection.patience }

    private func send(_ text: String) { _ = socket.send(Array(text.utf8), until: deadline) }

    private func finish() { socket.finishSending(drainingUntil: ContinuousClock.now + .seconds(1)) }

    /// False if the client ended or said nothing.
    private func receive(until deadline: ContinuousClock.Instant, _ body: ([UInt8]) -> Void = { _ in }) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 4 * 1_024, alignment: 1) { buffer in
            guard case .bytes(let count) = socket.receive(into: buffer, until: deadline) else { return false }
            let bytes = Array(buffer[..<count])
            note(bytes)
            body(bytes)
            return true
        }
    }

    private func receiveRequest(_ parser: inout HTTPRequestParser) -> Bool {
        while true {
            switch parser.next() {
            case .request, .failure: return true
            // Never told to go on, the client has to decide on its own: a transport is not to wait for it.
            case .needMore, .sendContinue: break
            }
            guard receive(until: deadline, { parser.append($0) }) else { return false }
        }
    }

    private func waitForTheEnd() {
        let deadline = deadline
        while receive(until: deadline) {}
    }

    /// Lets time pass; false if the client or the server ended meanwhile.
    private func pass(_ span: Duration) -> Bool {
        let end = ContinuousClock.now + span
        while ContinuousClock.now < end {
            if !receive(until: end) && ContinuousClock.now < end { return false }
        }
        return true
    }
}
