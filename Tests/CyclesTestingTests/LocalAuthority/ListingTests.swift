import Cycles
import CyclesTesting
import Testing

@Suite struct ListingTests {
    /// Five reservations, one second apart, of several kinds.
    private struct Shelf {
        let bench = Bench()
        let ids: [String]

        init() throws {
            bench.clock.advance(by: .seconds(1))
            ids = [
                try bench.hold("k0", 50, subject: ["tenant": "acme", "agent": "b"], extra: ["metadata": ["m": 0]]),
                try Shelf.later(bench).hold("k1", 10, subject: ["tenant": "acme", "workspace": "w", "agent": "b"]),
                try Shelf.later(bench).hold("k2", 30, subject: ["tenant": "acme", "app": "p"]),
                try Shelf.later(bench).hold("k3", 20, extra: ["ttl_ms": 1_000, "grace_period_ms": 0]),
                try Shelf.later(bench).hold(
                    "k4",
                    40,
                    subject: ["tenant": "acme", "workflow": "f", "toolset": "t"],
                    extra: ["ttl_ms": 90_000]
                ),
            ]
            _ = try Shelf.later(bench).release(ids[2], "x")
            let commit: JSONValue = [
                "idempotency_key": "c", "actual": ["unit": "TOKENS", "amount": 5], "metadata": ["c": 1],
            ]
            _ = try Shelf.later(bench).post("/v1/reservations/\(ids[1])/commit", commit)
            // The fourth has expired by now.
        }

        private static func later(_ bench: Bench) -> Bench {
            bench.clock.advance(by: .seconds(1))
            return bench
        }

        func list(_ query: String) throws -> Reply { try bench.get("/v1/reservations?" + query) }

        /// Which of the five a query finds, in its order.
        func found(_ query: String) throws -> [Int] {
            let reply = try list(query)
            try #require(reply.status == 200, "\(query): \(reply.json)")
            return reply.ids.compactMap(ids.firstIndex)
        }
    }

    @Test func everyFilterFilters() throws {
        let shelf = try Shelf()
        #expect(try shelf.found("") == [4, 3, 2, 1, 0])
        #expect(try shelf.found("tenant=acme") == [4, 3, 2, 1, 0])
        #expect(try shelf.found("agent=b") == [1, 0])
        #expect(try shelf.found("workspace=w&agent=b") == [1])
        #expect(try shelf.found("app=p") == [2])
        #expect(try shelf.found("workflow=f") == [4])
        #expect(try shelf.found("toolset=t") == [4])
        #expect(try shelf.found("toolset=") == [4, 3, 2, 1, 0])
        #expect(try shelf.found("agent=nobody") == [])
        #expect(try shelf.found("status=ACTIVE") == [4, 0])
        #expect(try shelf.found("status=COMMITTED") == [1])
        #expect(try shelf.found("status=RELEASED") == [2])
        #expect(try shelf.found("status=EXPIRED") == [3])
        #expect(try shelf.found("idempotency_key=k2") == [2])
        #expect(try shelf.found("idempotency_key=none") == [])
        #expect(try shelf.found("unknown=whatever") == [4, 3, 2, 1, 0])
    }

    @Test func windowsIncludeTheirBounds() throws {
        let shelf = try Shelf()
        // The clock began at 2026-01-01T00:00:00Z; the reservations followed one a second.
        #expect(try shelf.found("from=2026-01-01T00:00:02Z") == [4, 3, 2, 1])
        #expect(try shelf.found("to=2026-01-01T00:00:02Z") == [1, 0])
        #expect(try shelf.found("from=2026-01-01T00:00:02.001Z&to=2026-01-01T01:00:04%2B01:00") == [3, 2])
        #expect(try shelf.found("from=2026-01-01T00:00:02Z&to=2026-01-01T00:00:02Z") == [1])
        #expect(try shelf.found("expires_to=2026-01-01T00:00:05Z") == [3])
        #expect(try shelf.found("expires_from=2026-01-01T00:01:03Z") == [4, 2])
        #expect(try shelf.found("finalized_from=2026-01-01T00:00:06Z") == [2, 1])
        #expect(try shelf.found("finalized_to=2026-01-01T00:00:06Z") == [2])
        #expect(try shelf.found("finalized_from=2026-01-01T00:00:07Z&agent=b") == [1])
        #expect(try shelf.found("from=2026-01-01T00:00:02Z&finalized_to=2026-01-01T00:00:06Z") == [2])
    }

    @Test func blankWindowsAreUnset() throws {
        let shelf = try Shelf()
        let blank = "from=&to=%20&expires_from=&expires_to=+&finalized_from=&finalized_to="
        #expect(try shelf.found(blank) == [4, 3, 2, 1, 0])
    }

    @Test func windowsHaveToMakeSense() throws {
        let shelf = try Shelf()
        for query in [
            "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            "expires_from=2026-01-02T00:00:00Z&expires_to=2026-01-01T00:00:00Z",
            "finalized_from=2026-01-02T00:00:00Z&finalized_to=2026-01-01T00:00:00Z", "from=yesterday",
            "to=2026-02-30T00:00:00Z", "expires_from=1767225600000",
            // A plus sign that is not encoded is a space.
            "from=2026-01-01T00:00:00+01:00",
        ] {
            let reply = try shelf.list(query)
            #expect(reply.status == 400, "\(query)")
            #expect(reply.error == "INVALID_REQUEST")
        }
    }

    @Test func everyKeySorts() throws {
        let shelf = try Shelf()
        let ascending: [(String, [Int])] = [
            ("reservation_id", [0, 1, 2, 3, 4]), ("tenant", [0, 1, 2, 3, 4]), ("scope_path", [3, 0, 2, 4, 1]),
            ("status", [0, 4, 1, 3, 2]), ("reserved", [1, 3, 2, 4, 0]), ("created_at_ms", [0, 1, 2, 3, 4]),
            ("expires_at_ms", [3, 0, 1, 2, 4]),
        ]
        for (key, order) in ascending {
            #expect(try shelf.found("sort_by=\(key)&sort_dir=asc") == order, "\(key)")
            #expect(try shelf.found("sort_by=\(key)&sort_dir=desc") == order.reversed(), "\(key)")
            #expect(try shelf.found("sort_by=\(key)") == order.reversed(), "\(key)")
        }
        #expect(try shelf.found("sort_dir=asc") == [0, 1, 2, 3, 4])
    }

    @Test(arguments: ["", "sort_by=reserved", "sort_by=status&sort_dir=asc", "sort_by=tenant&sort_dir=asc"])
    func pagesJoinToTheWholeList(_ query: String) throws {
        let shelf = try Shelf()
        let whole = try shelf.found(query)
        var pages: [[Int]] = []
        var cursor: String?
        repeat {
            let reply = try shelf.list(query + "&limit=2" + (cursor.map { "&cursor=" + $0 } ?? ""))
            pages.append(reply.ids.compactMap(shelf.ids.firstIndex))
            cursor = reply.json["next_cursor"]?.string
            #expect(reply.json["has_more"] == .bool(cursor != nil))
        } while cursor != nil && pages.count < 9
        #expect(pages == [Array(whole[0..<2]), Array(whole[2..<4]), Array(whole[4...])])
    }

    @Test func aCursorIsStableWhenRowsAreAdded() throws {
        let shelf = try Shelf()
        for query in ["limit=2", "limit=2&sort_by=reserved"] {
            let first = try shelf.list(query)
            let cursor = try #require(first.json["next_cursor"]?.string)
            let before = try shelf.list(query + "&cursor=" + cursor).ids
            _ = try shelf.bench.hold("new \(query)", 99)
            #expect(try shelf.list(query + "&cursor=" + cursor).ids == before)
        }
    }

    @Test func aSortedCursorIsBoundToItsFilters() throws {
        let shelf = try Shelf()
        let query = "limit=1&sort_by=reserved"
        let cursor = try #require(try shelf.list(query).json["next_cursor"]?.string)
        for other in [
            "sort_by=status", "sort_by=reserved&sort_dir=asc", "sort_by=reserved&status=ACTIVE",
            "sort_by=reserved&agent=b", "sort_by=reserved&from=2026-01-01T00:00:00Z",
            "sort_by=reserved&expires_from=2026-01-01T00:00:00Z", "sort_by=reserved&idempotency_key=k1",
            "sort_by=reserved&finalized_to=2026-01-01T00:00:00Z", "",
        ] {
            let reply = try shelf.list(other + "&cursor=" + cursor)
            #expect(reply.status == 400, "\(other)")
            #expect(reply.error == "INVALID_REQUEST")
        }
        // The number of rows and the included members are not filters.
        #expect(try shelf.list(query + "&sort_dir=desc&include=metadata&limit=5&cursor=" + cursor).status == 200)
    }

    @Test func cursorsThatNobodyGaveAreRefused() throws {
        let shelf = try Shelf()
        for cursor in ["x", "7b7d", "zz", "abc", "%F0%9F%98%80", String(repeating: "5b", count: 5_000)] {
            #expect(try shelf.list("cursor=" + cursor).status == 400, "\(cursor)")
            #expect(try shelf.bench.get("/v1/balances?tenant=acme&cursor=" + cursor).status == 400, "\(cursor)")
        }
        #expect(try shelf.list("cursor=").status == 200)
    }

    @Test func otherParametersHaveTheirValues() throws {
        let shelf = try Shelf()
        for query in [
            "limit=0", "limit=201", "limit=-1", "limit=", "limit=x", "limit=99999999999999999999", "status=active",
            "status=", "sort_by=amount", "sort_dir=up", "idempotency_key=",
            "idempotency_key=" + String(repeating: "k", count: 257),
        ] {
            #expect(try shelf.list(query).status == 400, "\(query)")
        }
        #expect(try shelf.found("limit=200").count == 5)
        #expect(try shelf.found("limit=1") == [4])
    }

    @Test func rowsCarryHeavyMembersOnlyWhenAsked() throws {
        let shelf = try Shelf()
        func row(_ include: String, _ id: Int) throws -> JSONValue {
            let rows = try shelf.list(include).json["reservations"]?.array
            return try #require(rows?.first { $0["reservation_id"] == .string(shelf.ids[id]) })
        }
        #expect(try row("", 0)["metadata"] == nil)
        #expect(try row("", 1)["committed_metadata"] == nil)
        #expect(try row("", 1)["committed"]?.amount == 5)
        #expect(try row("", 1)["finalized_at_ms"] != nil)
        #expect(try row("include=metadata", 0)["metadata"] == ["m": 0])
        #expect(try row("include=metadata", 1)["committed_metadata"] == nil)
        let padded = "include=%20metadata%20,,+unknown,committed_metadata%20,"
        #expect(try row(padded, 0)["metadata"] == ["m": 0])
        #expect(try row(padded, 1)["committed_metadata"] == ["c": 1])
        #expect(try row("include=", 0)["metadata"] == nil)
        #expect(try row("include=metadatax", 0)["metadata"] == nil)
    }

    @Test func fiftyRowsArePageUnlessSaid() throws {
        let bench = Bench()
        for number in 0..<51 { _ = try bench.hold("k\(number)", 1) }
        let reply = try bench.get("/v1/reservations")
        #expect(reply.ids.count == 50)
        #expect(reply.json["has_more"] == true)
    }
}

@Suite struct BalanceListingTests {
    private func bench(_ behavior: Behavior = .deployed) -> Bench {
        let bench = Bench(behavior, budget: nil)
        bench.authority.addAPIKey("other-key", tenant: "other")
        for scope in [
            "tenant:acme", "tenant:acme/workspace:w", "tenant:acme/workspace:w/agent:b", "tenant:acme/agent:b",
            "tenant:acme/agent:b/toolset:t", "tenant:acme/workspace:v", "tenant:other", "tenant:other/agent:b",
        ] {
            bench.authority.setBudget(scope: scope, allocated: .tokens(10))
        }
        bench.authority.setBudget(scope: "tenant:acme", allocated: .credits(10))
        return bench
    }

    @Test func aFilterFindsTheScopesItNames() throws {
        let bench = bench(.specification)
        func scopes(_ query: String) throws -> [String] { try bench.get("/v1/balances?" + query).scopes }
        #expect(try scopes("tenant=acme") == ["tenant:acme", "tenant:acme"])
        #expect(try scopes("workspace=w") == ["tenant:acme/workspace:w"])
        #expect(try scopes("agent=b") == ["tenant:acme/agent:b", "tenant:acme/workspace:w/agent:b"])
        #expect(try scopes("agent=b&workspace=w") == ["tenant:acme/workspace:w/agent:b"])
        #expect(try scopes("tenant=acme&agent=b&toolset=t") == ["tenant:acme/agent:b/toolset:t"])
        #expect(try scopes("app=p") == [])
    }

    /// A deployed server takes `include_children` for true, whatever it says.
    @Test(arguments: ["", "&include_children=false", "&include_children=true"])
    func aFilterFindsEveryScopeThatHasItsSegments(_ suffix: String) throws {
        let bench = bench()
        func scopes(_ query: String) throws -> [String] { try bench.get("/v1/balances?" + query + suffix).scopes }
        #expect(
            try scopes("tenant=acme") == [
                "tenant:acme", "tenant:acme", "tenant:acme/agent:b", "tenant:acme/agent:b/toolset:t",
                "tenant:acme/workspace:v", "tenant:acme/workspace:w", "tenant:acme/workspace:w/agent:b",
            ]
        )
        #expect(
            try scopes("agent=b")
                == ["tenant:acme/agent:b", "tenant:acme/agent:b/toolset:t", "tenant:acme/workspace:w/agent:b"]
        )
        #expect(try scopes("agent=B&workspace=W") == ["tenant:acme/workspace:w/agent:b"])
        #expect(try scopes("toolset=T") == ["tenant:acme/agent:b/toolset:t"])
        #expect(try scopes("app=p") == [])
    }

    @Test func childrenComeWhenAsked() throws {
        let bench = bench(.specification)
        func scopes(_ query: String) throws -> [String] { try bench.get("/v1/balances?" + query).scopes }
        #expect(try scopes("tenant=acme&include_children=false").count == 2)
        #expect(
            try scopes("tenant=acme&include_children=true") == [
                "tenant:acme", "tenant:acme", "tenant:acme/agent:b", "tenant:acme/agent:b/toolset:t",
                "tenant:acme/workspace:v", "tenant:acme/workspace:w", "tenant:acme/workspace:w/agent:b",
            ]
        )
        #expect(
            try scopes("workspace=w&include_children=true")
                == ["tenant:acme/workspace:w", "tenant:acme/workspace:w/agent:b"]
        )
    }

    @Test(arguments: Behavior.allCases, ["maybe", "", "+", "%20", "1"])
    func includeChildrenIsTrueOrFalse(_ behavior: Behavior, _ value: String) throws {
        let reply = try bench(behavior).get("/v1/balances?tenant=acme&include_children=" + value)
        #expect(reply.status == 400)
        #expect(reply.error == "INVALID_REQUEST")
    }

    @Test func aSubjectFilterIsNeeded() throws {
        for query in ["", "?limit=5", "?tenant=", "?include_children=true"] {
            let reply = try bench().get("/v1/balances" + query)
            #expect(reply.status == 400, "\(query)")
            #expect(reply.error == "INVALID_REQUEST")
        }
    }

    @Test func balancesComeInPages() throws {
        let bench = bench()
        var scopes: [String] = []
        var units: [String] = []
        var cursor: String?
        var pages = 0
        repeat {
            let query = "?tenant=acme&include_children=true&limit=1" + (cursor.map { "&cursor=" + $0 } ?? "")
            let reply = try bench.get("/v1/balances" + query)
            scopes += reply.scopes
            units += [reply.json["balances"]?[0]?["remaining"]?["unit"]?.string ?? ""]
            cursor = reply.json["next_cursor"]?.string
            pages += 1
        } while cursor != nil && pages < 20
        #expect(pages == 7)
        #expect(scopes == scopes.sorted())
        #expect(units.prefix(2) == ["CREDITS", "TOKENS"])
        #expect(try bench.get("/v1/balances?tenant=acme&limit=201").status == 400)
    }
}
