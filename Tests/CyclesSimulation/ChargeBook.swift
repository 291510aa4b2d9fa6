import Cycles

/// The charges of a world as its server answered them, whether or not the answers arrived.
struct ChargeBook {
    struct Charge: Equatable {
        let operation: String
        let amount: Int64
    }

    /// The works by the ids of their reservations.
    private(set) var works: [String: Int] = [:]
    private(set) var charges: [Int: [Charge]] = [:]
    /// The reservations of each work, in the order in which the server made them.
    private(set) var reservations: [Int: [String]] = [:]
    /// The reservations that an operator released.
    private(set) var releasedByOperator: Set<String> = []
    private(set) var events = 0
    private(set) var commits = 0
    /// Commits by their reservation, and events by their id, that are in the book.
    private var known: Set<String> = []
    /// Charges that belong to no known work.
    private(set) var strays: [String] = []

    /// The work that a request concerns; nil if none, or if the server does not know its reservation yet.
    func work(of request: HTTPRequest) -> Int? {
        if let id = request.pathReservation { return works[id] }
        let body = request.json
        if let id = body["metadata"]?["recovered_reservation_id"]?.string { return works[id] }
        return body["idempotency_key"]?.string.flatMap(ChargeBook.number)
    }

    /// Enters an answer of the server.
    mutating func enter(_ request: HTTPRequest, _ response: HTTPResponse) {
        let operation = request.operationName
        switch (operation, response.status) {
        case ("reserve", 200):
            guard let work = work(of: request), let id = response.json["reservation_id"]?.string else { return }
            if works.updateValue(work, forKey: id) == nil { reservations[work, default: []].append(id) }
        case ("commit", 200):
            guard let id = request.pathReservation, known.insert(id).inserted else { return }
            commits += 1
            add(response.json["charged"], "commit", works[id], id)
        case ("event", 201):
            let answer = response.json
            guard let id = answer["event_id"]?.string, known.insert(id).inserted else { return }
            events += 1
            add(answer["charged"] ?? request.json["actual"], "event", work(of: request), id)
        default: break
        }
    }

    mutating func operatorReleased(_ id: String) { releasedByOperator.insert(id) }

    private mutating func add(_ charged: JSONValue?, _ operation: String, _ work: Int?, _ id: String) {
        guard let amount = charged?["amount"]?.int64 else { return strays.append("\(operation) \(id) without amount") }
        guard let work else { return strays.append("\(operation) \(id) of \(amount)") }
        charges[work, default: []].append(Charge(operation: operation, amount: amount))
    }

    private static func number(_ key: String) -> Int? {
        key.hasPrefix("work-") ? Int(key.dropFirst("work-".count)) : nil
    }
}

extension HTTPRequest {
    /// The short name of the operation: `reserve`, `commit`, `release`, `extend`, `event`, `get` and so on.
    package var operationName: String {
        let path = path
        let last = path.last.map(String.init) ?? ""
        switch (method, path.count, last) {
        case (.post, 2, "reservations"): return "reserve"
        case (.post, 2, "events"): return "event"
        case (.get, 3, _): return "get"
        default: return last
        }
    }

    /// The id of the reservation in the URL.
    var pathReservation: String? {
        let path = path
        return path.count >= 3 ? String(path[2]) : nil
    }

    /// The parts of the path. Bytes are split several times as fast as characters.
    private var path: [Substring] {
        url.utf8.split(separator: UInt8(ascii: "/")).dropFirst(2).map { Substring($0) }
    }

    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
}

extension HTTPResponse {
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
}
