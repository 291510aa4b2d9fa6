import Cycles
import Synchronization

/// A server on 127.0.0.1 that breaks the rules of HTTP, for tests of transports.
///
/// The server reads one complete request of a connection and then misbehaves. Bytes that are not HTTP count as a
/// complete request.
package final class MisbehavingServer: Sendable {
    /// The treatment of a connection.
    package enum Behavior: Hashable, Sendable {
        /// Sends no answer; the connection stays open until the client or the server ends.
        case silent
        /// Sends the payload byte by byte, with a wait before each byte, then closes the connection.
        case trickle(intervalMilliseconds: Int, payload: [UInt8])
        /// Sends the head of an answer that announces a body, then closes the connection.
        case closeAfterHeaders
        /// Closes the connection without an answer.
        case closeBeforeAnswer
        /// Resets the connection without an answer.
        case reset
        /// Answers the first request with the bytes, then closes the connection.
        case answer([UInt8])
        /// Answers the first requests and keeps the connection open. After the next request, closes the connection
        /// without an answer, as if it had been lost meanwhile.
        case answers([[UInt8]])
        /// Sends the bytes before any request and again as the answer to the first, then closes the connection.
        case greeting([UInt8])

        /// Answers only the first request: see `answers`.
        package static func answerOnlyFirst(_ bytes: [UInt8]) -> Behavior { .answers([bytes]) }

        /// An answer that is not HTTP.
        package static let garbage = Behavior.answer([0x16, 0x03, 0x03, 0x00, 0xFF, 0x0D, 0x0A, 0x0D, 0x0A])

        /// An answer that redirects to another URL.
        package static func redirect(status: Int = 307, to location: String) -> Behavior {
            let head = "HTTP/1.1 \(status) \r\nLocation: \(location)\r\n"
            return .answer(Array((head + "Content-Length: 0\r\nConnection: close\r\n\r\n").utf8))
        }
    }

    /// The state that connections share. The connections must not refer to the server, which stops when it is
    /// deinitialized.
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

    /// - Parameter behaviors: The behaviors of the connections in the order in which they are served. The last applies
    ///   to all further connections; without any, connections are `silent`.
    package init(_ behaviors: Behavior...) { shared = Shared(behaviors: behaviors) }

    deinit { stop() }

    /// Starts the server. A server that ran before uses the same port again.
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

    /// Sends unsolicited bytes on all open connections. They have arrived when the call returns.
    ///
    /// - Parameter isLast: Whether to end sending on these connections afterwards.
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

    /// The URL of the server, without a trailing slash.
    package var baseURL: String { "http://127.0.0.1:\(port)" }

    /// The number of connections accepted in all runs of the server.
    package var acceptedConnections: Int { shared.counter.value }

    /// The number of open connections.
    package var openConnections: Int { state.withLock { $0.acceptor }?.openCount ?? 0 }

    /// All received bytes, of all connections, in the order of their arrival.
    package var receivedBytes: [UInt8] { shared.received.withLock { $0 } }
}

/// One connection of a ``MisbehavingServer``.
private struct MisbehavingConnection {
    /// The time limit of a connection. Long enough for a busy machine: otherwise a test would mistake the end of the
    /// limit for an action of its client.
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

    /// Receives bytes. Returns false if the client closed the connection, or sent none in time.
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
            // 100 Continue is never sent: a transport must not wait for it forever.
            case .needMore, .sendContinue: break
            }
            guard receive(until: deadline, { parser.append($0) }) else { return false }
        }
    }

    private func waitForTheEnd() {
        let deadline = deadline
        while receive(until: deadline) {}
    }

    /// Waits for a time. Returns false if the connection ended meanwhile.
    private func pass(_ span: Duration) -> Bool {
        let end = ContinuousClock.now + span
        while ContinuousClock.now < end {
            if !receive(until: end) && ContinuousClock.now < end { return false }
        }
        return true
    }
}
