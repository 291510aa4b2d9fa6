@testable import Cycles
@testable import CyclesTesting

/// The request parser of the loopback server.
///
/// The first byte of an input chooses the limits, the second is the number of sizes that follow, and the rest is the
/// stream, delivered in pieces of these sizes.
enum RequestTarget {
    private typealias Parser = HTTPRequestParser

    static func run(_ bytes: [UInt8]) throws(Finding) {
        var input = FuzzInput(bytes)
        var limits = Parser.Limits()
        if input.byte() & 1 == 1 {
            (limits.requestLineBytes, limits.headerBytes, limits.headerCount, limits.bodyBytes) = (40, 100, 4, 30)
        }
        let sizes = input.bytes(input.byte() % 16)
        let stream = Array(input.rest)
        let whole = steps([stream], limits)
        try require(steps(stream.pieces(sizes), limits) == whole, "the result depends on the split")
        try require(steps(stream.pieces([1]), limits) == whole, "the result depends on the split into bytes")
        for step in whole {
            switch step {
            case .request(let request): try check(request, limits)
            case .failure(let failure): try require((400...505).contains(failure.status), "\(failure)")
            case .needMore, .sendContinue: throw Finding("not an end")
            }
        }
    }

    /// The requests of a stream, and its failure.
    private static func steps(_ pieces: [[UInt8]], _ limits: Parser.Limits) -> [Parser.Step] {
        var parser = Parser(limits: limits)
        var steps: [Parser.Step] = []
        for piece in pieces {
            parser.append(piece)
            loop: while true {
                let step = parser.next()
                switch step {
                case .needMore: break loop
                // A client waits for it only if it has sent no byte of the body, which depends on the split.
                case .sendContinue: continue
                case .request: steps.append(step)
                case .failure:
                    guard parser.next() == step else { return steps }
                    return steps + [step]
                }
            }
        }
        return steps
    }

    /// A request is within the limits, and written again it is the same request.
    private static func check(_ request: Parser.Request, _ limits: Parser.Limits) throws(Finding) {
        try require(request.body.count <= limits.bodyBytes, "the body is too large")
        try require(request.headers.count <= limits.headerCount, "there are too many fields")
        try require(request.target.hasPrefix("/") || request.target == "*", "the target is \(request.target)")
        try require(request.headers.firstDefect == nil, "a field is invalid")
        guard request.headers["Host"] != nil else { return }
        var bytes = Array("\(request.method) \(request.target) HTTP/1.1\r\n".utf8)
        let framing = ["content-length", "transfer-encoding", "expect"]
        var expected = HTTPHeaders()
        request.headers.forEachField { name, value in
            let text = String(decoding: name, as: UTF8.self)
            guard !framing.contains(text.lowercased()) else { return }
            expected.append(name: name, value: value)
            bytes += Array(name) + Array(": ".utf8) + Array(value) + Array("\r\n".utf8)
        }
        let length = "\(request.body.count)"
        expected.append(name: "Content-Length", value: length)
        bytes += Array("Content-Length: \(length)\r\n\r\n".utf8) + request.body
        guard case .request(let again)? = steps([bytes], Parser.Limits()).first else {
            throw Finding("a request that was written again is refused")
        }
        try require(again.method == request.method && again.target == request.target, "the request line changed")
        try require(again.headers == expected && again.body == request.body, "the fields or the body changed")
    }
}
