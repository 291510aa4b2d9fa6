import Cycles
import CyclesTesting
import WebhookReceiver

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// Prints the events of webhook deliveries. The secret is in CYCLES_WEBHOOK_SECRET, the port in PORT (any free one by default).
// LoopbackServer stands for the HTTP server of a real service, and for its TLS.

struct Front: BlockingHTTPTransport {
    let receiver: WebhookReceiver

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let response = receiver.respond(to: request)
        say("\(request.headers["X-Cycles-Event-Id"] ?? "-"): \(response.status)")
        return response
    }
}

func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// Prints a line at once, also into a pipe or a file.
func say(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

guard let secret = variable("CYCLES_WEBHOOK_SECRET"), !secret.isEmpty else {
    fatalError("set CYCLES_WEBHOOK_SECRET to the signing secret of the subscription")
}
let receiver = WebhookReceiver(secret: secret) { event in
    say("handled \(event.id): \(event.type) of \(event.tenant)")
}
let server = LoopbackServer(Front(receiver: receiver), port: variable("PORT").flatMap(UInt16.init) ?? 0)
try server.start()
say("receiving at \(server.baseURL)")
while true { sleep(3_600) }
