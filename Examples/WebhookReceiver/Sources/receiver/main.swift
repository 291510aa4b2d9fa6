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
        print("\(request.headers["X-Cycles-Event-Id"] ?? "-"): \(response.status)")
        return response
    }
}

func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

setvbuf(stdout, nil, _IOLBF, 0)
guard let secret = variable("CYCLES_WEBHOOK_SECRET"), !secret.isEmpty else {
    fatalError("set CYCLES_WEBHOOK_SECRET to the signing secret of the subscription")
}
let receiver = WebhookReceiver(secret: secret) { event in
    print("handled \(event.id): \(event.type) of \(event.tenant)")
}
let server = LoopbackServer(Front(receiver: receiver), port: variable("PORT").flatMap(UInt16.init) ?? 0)
try server.start()
print("receiving at \(server.baseURL)")
while true { sleep(3_600) }
