import Testing

@testable import Cycles

@Suite struct HTTPHeadersTests {
    @Test func lookUpIgnoresCase() {
        var headers: HTTPHeaders = ["Content-Type": "application/json", "X-A": "1", "x-a": "2"]
        #expect(headers["content-type"] == "application/json")
        #expect(headers["CONTENT-TYPE"] == "application/json")
        #expect(headers["X-A"] == "1")
        #expect(headers.values(for: "X-a") == ["1", "2"])
        #expect(headers["nothing"] == nil)
        #expect(headers.count == 3)
        headers["x-A"] = "3"
        #expect(headers.values(for: "X-A") == ["3"])
        headers["X-A"] = nil
        #expect(headers.count == 1 && !headers.isEmpty)
        headers.remove(name: "CONTENT-type")
        #expect(headers.isEmpty)
    }

    @Test func orderIsKept() {
        var headers: HTTPHeaders = ["b": "1", "a": "2"]
        headers.append(contentsOf: ["c": ""])
        #expect(headers.fields.map(\.name) == ["b", "a", "c"])
        #expect(headers["c"] == "")
    }

    @Test func equalityIgnoresTheCaseOfNames() {
        let left: HTTPHeaders = ["A": "1", "B": "2"]
        #expect(left == ["a": "1", "b": "2"])
        #expect(left.hashValue == (["a": "1", "b": "2"] as HTTPHeaders).hashValue)
        #expect(left != ["B": "2", "A": "1"])
        #expect(left != ["A": "1", "B": "x"])
        #expect(left != ["A": "1"])
    }

    @Test(arguments: ["a\r\nX-Evil: 1", "a\nb", "a\0b", "\r"])
    func valuesThatForgeFieldsAreFound(value: String) {
        #expect((["X": value] as HTTPHeaders).firstDefect?.name == "X")
    }

    @Test(arguments: ["", "a b", "a:b", "a\n", "é"])
    func namesThatAreNoTokensAreFound(name: String) {
        #expect(([name: "v"] as HTTPHeaders).firstDefect != nil)
    }

    @Test func aTokenHasLettersDigitsAndFifteenSigns() {
        let signs = "!#$%&'*+-.^_`|~"
        for byte in UInt8.min...UInt8.max {
            let character = Character(Unicode.Scalar(byte))
            let isAllowed = character.isASCII && (character.isLetter || character.isNumber || signs.contains(character))
            #expect(HTTPHeaders.isToken(String(character)) == isAllowed, "\(byte)")
        }
    }

    @Test func longFieldsSurvive() {
        let long = String(repeating: "x", count: 70_000)
        let headers: HTTPHeaders = ["a": long, "b": "2"]
        #expect(headers["a"] == long && headers["b"] == "2")
        #expect(([long: "v"] as HTTPHeaders).isEmpty)
    }

    @Test func credentialsDoNotShow() {
        let headers: HTTPHeaders = ["X-Cycles-API-Key": "hush", "authorization": "hush", "Accept": "yes"]
        var shown = "\(headers) \(String(reflecting: headers))"
        dump(headers, to: &shown)
        #expect(!shown.contains("hush"))
        #expect(shown.contains("yes"))
    }
}

@Suite struct TransferQueueTests {
    private func priority(_ name: String) -> RequestPriority {
        name == "lease" ? .lease : name == "settlement" ? .settlement : .normal
    }

    @Test func leasesGoFirstThenSettlementsThenTheRest() {
        var queue = TransferQueue<String>(limit: 1)
        queue.enqueue("normal 1", priority: .normal)
        queue.enqueue("settlement", priority: .settlement)
        queue.enqueue("normal 2", priority: .normal)
        queue.enqueue("lease", priority: .lease)
        var order: [String] = []
        while let next = queue.next() {
            order.append(next)
            #expect(queue.next() == nil)
            queue.finishOne(priority(next))
        }
        #expect(order == ["lease", "settlement", "normal 1", "normal 2"])
        #expect(queue.isEmpty)
    }

    @Test func noMoreThanTheLimitAreUnderWay() {
        var queue = TransferQueue<Int>(limit: 3)
        for number in 0..<1_000 { queue.enqueue(number, priority: .normal) }
        var started: [Int] = []
        while !queue.isEmpty || queue.inUse > 0 {
            while let next = queue.next() { started.append(next) }
            #expect(queue.inUse <= 3)
            queue.finishOne(.normal)
        }
        #expect(started == Array(0..<1_000))
    }

    @Test func anElementStartsAtOnceOnlyIfNoneOfItsPriorityWaits() {
        var queue = TransferQueue<Int>(limit: 2)
        #expect(queue.startAtOnce(.normal) == true)
        #expect(queue.startAtOnce(.lease) == true)
        #expect(queue.startAtOnce(.settlement) == false)
        queue.enqueue(1, priority: .normal)
        queue.finishOne(.lease)
        #expect(queue.startAtOnce(.normal) == false)
        #expect(queue.next() == 1)
        #expect(queue.inUse == 2)
    }

    @Test func thoseWhoGiveUpLeaveTheLine() {
        var queue = TransferQueue<Int>(limit: 1)
        for number in 0..<10 { queue.enqueue(number, priority: number % 2 == 0 ? .normal : .lease) }
        #expect(queue.next() == 1)
        #expect(queue.removeAll { $0 > 4 }.sorted() == [5, 6, 7, 8, 9])
        queue.finishOne(.lease)
        #expect(queue.next() == 3)
        queue.finishOne(.lease)
        #expect(queue.next() == 0)
    }

    /// As many of each priority as there is a connection for, all of which hang.
    private func hanging(_ priorities: RequestPriority..., limit: Int, reserved: Int) -> TransferQueue<RequestPriority>
    {
        var queue = TransferQueue<RequestPriority>(limit: limit, reserved: reserved)
        for priority in priorities {
            for _ in 0..<100 { queue.enqueue(priority, priority: priority) }
            while queue.next() != nil {}
            _ = queue.removeAll { _ in true }
        }
        return queue
    }

    @Test(arguments: [1, 4, 64])
    func nothingThatHangsTakesTheConnectionsOfLeasesAndSettlements(limit: Int) {
        for (hanging, others) in [
            (RequestPriority.normal, [RequestPriority.lease, .settlement]), (.settlement, [.lease]),
            (.lease, [.settlement]),
        ] {
            for other in others {
                var queue = self.hanging(hanging, limit: limit, reserved: 2)
                for _ in 0..<3 { queue.enqueue(other, priority: other) }
                #expect(queue.next() == other)
                #expect(queue.next() == other)
                #expect(queue.next() == nil)
                queue.finishOne(other)
                #expect(queue.next() == other)
            }
        }
    }

    @Test func everythingThatHangsTogetherStaysWithinTheLimits() {
        #expect(hanging(.normal, .settlement, .lease, limit: 4, reserved: 2).inUse == 8)
        #expect(hanging(.lease, .settlement, .normal, limit: 4, reserved: 2).inUse == 8)
        #expect(hanging(.normal, limit: 4, reserved: 2).inUse == 4)
        #expect(hanging(.lease, limit: 4, reserved: 2).inUse == 6)
    }
}

@Suite struct SystemAuthoritiesTests {
    private func choice(_ file: String?, _ directory: String?, _ present: String...) -> String? {
        SystemAuthorities.choice(file: file, directory: directory) { present.contains($0) }
    }

    @Test func authoritiesAreFoundOnSystemsThatAreNotTheOneOfTheBuild() {
        let debian = "/etc/ssl/certs/ca-certificates.crt"
        #expect(choice(debian, nil, debian, "/etc/ssl/cert.pem") == nil)
        #expect(choice(debian, nil, "/etc/ssl/cert.pem") == "/etc/ssl/cert.pem")
        #expect(choice(debian, nil, "/etc/pki/tls/certs/ca-bundle.crt") == "/etc/pki/tls/certs/ca-bundle.crt")
        #expect(choice("/opt/ca.pem", "/etc/ssl/certs", "/etc/ssl/certs", debian) == nil)
        #expect(choice("/opt/ca.pem", nil, debian) == debian)
        // Whatever the system has instead of files is left to libcurl.
        #expect(choice(nil, nil, debian) == nil)
        #expect(choice(debian, nil) == nil)
    }
}
