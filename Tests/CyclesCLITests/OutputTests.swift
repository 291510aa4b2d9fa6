import Foundation
import Testing

@testable import Cycles
@testable import CyclesCLI

@Suite struct OutputTests {
    @Test(arguments: [
        (HTTPTransportError.Kind.connectionFailed, Int32(69)), (.timedOut, 69), (.tls, 69), (.invalidAnswer, 75),
        (.resourcesExhausted, 75), (.responseTooLarge, 1), (.other, 1),
    ])
    func failuresOfTheTransportHaveTheStatusOfTheirKind(kind: HTTPTransportError.Kind, status: Int32) {
        #expect(ErrorReport.status(of: .transport(HTTPTransportError(kind: kind, message: "m"))).code == status)
    }

    @Test(arguments: [(101, Int32(75)), (200, 75), (307, 1)])
    func answersThatMakeNoSenseMayBeOthersLater(answer: Int, status: Int32) {
        let error = CyclesError.invalidResponse(InvalidResponse(operation: "o", status: answer, message: "m"))
        #expect(ErrorReport.status(of: error).code == status)
    }

    private func balance(_ spent: Int64, _ reserved: Int64, _ remaining: Int64) -> Balance {
        Balance(
            scope: "tenant:acme",
            scopePath: "tenant:acme",
            remaining: .tokens(remaining),
            reserved: .tokens(reserved),
            spent: .tokens(spent)
        )
    }

    @Test(arguments: [
        (50, 25, 25, "#####===.."), (0, 0, 100, ".........."), (100, 0, 0, "##########"),
        (1, 1, 1_000_000, "#=........"),
        (1_000_000, 1, 1, "########=."), (0, 0, 0, ".........."), (120, 0, -20, "##########"),
        (Int64.max, Int64.max, Int64.max, "####===..."),
    ])
    func barsAreAsLongAsTheyShouldBe(spent: Int64, reserved: Int64, remaining: Int64, bar: String) {
        let drawn = BalanceBoard.bar(balance(spent, reserved, remaining), width: 10, .ascii)
        #expect(drawn.count == 10)
        #expect(drawn == bar)
    }

    @Test func aScreenThatIsFullSaysSo() {
        let lines = BalanceBoard.screen(
            Array(repeating: balance(1, 2, 3), count: 30),
            title: "T",
            note: nil,
            size: (60, 15),
            style: .ascii
        )
        #expect(lines.count <= 15 && lines.contains("and 25 more: the screen is full"), "\(lines)")
        // However small it is, the title and a budget are on it.
        for rows in 1...14 {
            let lines = BalanceBoard.screen(
                Array(repeating: balance(1, 2, 3), count: 3),
                title: "T",
                note: nil,
                size: (40, rows),
                style: .ascii
            )
            #expect(lines.count <= rows && lines[0] == "T", "\(lines)")
            #expect(rows < 3 || lines[rows < 9 ? 1 : 2].contains("spent 1"), "\(lines)")
        }
        #expect(BalanceBoard.screen([], title: "T", note: "N", size: (40, 15), style: .ascii).last == "N")
    }

    @Test func aNarrowScreenIsNotCut() {
        var owing = balance(1_234_567, 500, 8_765_433)
        owing.scopePath = "tenant:acme/workspace:production/app:chat/agent:support-bot"
        owing.debt = .tokens(12_345)
        let note = "As of 2026-11-26 09:19:22Z; now: the server cannot be reached at 127.0.0.1:7878"
        let lines = BalanceBoard.screen([owing], title: "T", note: note, size: (50, 20), style: .ascii)
        #expect(lines.allSatisfy { $0.count <= 50 }, "\(lines)")
        #expect(
            lines.filter { !$0.hasPrefix("#") } == [
                "T", "", "tenant:acme/workspace:production/app:chat/",
                "  agent:support-bot  spent 1 234 567,",
                "  reserved 500, remaining 8 765 433 TOKENS,", "  debt 12 345", "",
                "As of 2026-11-26 09:19:22Z; now: the server cannot",
                "  be reached at 127.0.0.1:7878",
            ],
            "\(lines)"
        )
        let legend = BalanceBoard.screen([owing], title: "T", note: nil, size: (50, 20), style: .ascii).last
        #expect(legend == "# spent  = reserved  . remaining   q ends")
        // With lines of three instead of two, fewer fit.
        let full = BalanceBoard.screen(
            Array(repeating: balance(1, 2, 3), count: 30),
            title: "T",
            note: nil,
            size: (40, 15),
            style: .ascii
        )
        #expect(full.count <= 15 && full.contains("and 27 more: the screen is full"), "\(full)")
    }

    @Test func figuresInMicrocentsAreShownAsDollars() {
        let rich = Balance(scope: "tenant:acme", scopePath: "tenant:acme", remaining: .usdMicrocents(5_000_000))
        let lines = BalanceBoard.screen([rich], title: "T", note: nil, size: (120, 20), style: .ascii)
        #expect(lines[2].hasSuffix("remaining 5 000 000 ($0.05) USD_MICROCENTS"), "\(lines)")
    }

    @Test func errorsForProgramsHaveACodeAndTellWhetherToTryAgain() throws {
        func check(_ document: String, _ code: String, retryable: Bool) throws {
            let members = try JSONValue(parsing: Array(document.utf8))
            #expect(members["error"]?.string == code, "\(document)")
            #expect(members["retryable"] == .bool(retryable), "\(document)")
        }
        let lost = HTTPTransportError(kind: .timedOut, message: "m")
        try check(ErrorReport.json(.transport(lost)), "TRANSPORT", retryable: true)
        let unclear = AmbiguousOutcome(operation: "o", message: "m", idempotencyKey: "k")
        try check(ErrorReport.json(.ambiguous(unclear)), "TRANSPORT", retryable: true)
        let issue = ConfigurationIssue(name: "tls", message: "m")
        try check(ErrorReport.json(.configuration(issue)), "CONFIGURATION", retryable: false)
        try check(ErrorReport.json(.validation(ValidationIssue(field: "f", message: "m"))), "USAGE", retryable: false)
        let denial = Denial(operation: "o", reason: .budgetExceeded, details: nil, status: 200)
        try check(ErrorReport.json(.denied(denial)), "BUDGET_EXCEEDED", retryable: false)
        var refusal = APIError(operation: "o", status: 500, message: "m")
        try check(ErrorReport.json(.api(refusal)), "INVALID_ANSWER", retryable: true)
        refusal.code = .internalError
        try check(ErrorReport.json(.api(refusal)), "INTERNAL_ERROR", retryable: true)
        try check(ErrorReport.json(ToolFailure("m", status: .misuse)), "USAGE", retryable: false)
        let setting = ToolFailure("m", status: .misuse, code: "CONFIGURATION")
        try check(ErrorReport.json(setting), "CONFIGURATION", retryable: false)
        try check(ErrorReport.json(ToolFailure("m", status: .temporary)), "RESOURCES", retryable: true)
    }

    @Test func doctorChecksTheNeedsOfRun() {
        let folder = FileManager.default.temporaryDirectory.path
        #expect(
            DoctorCommand.reports(in: [folder]) == DoctorCommand.Finding(.ok, "reports", "run keeps them in \(folder)")
        )
        #if os(Linux)
            let memory = DoctorCommand.reports(in: ["/no/such/place"])
            #expect(memory.result == .warn && memory.text.contains("in memory"), "\(memory)")
        #endif
        #expect(DoctorCommand.process(1).text.contains("the first process of a container: run passes signals on"))
        #expect(DoctorCommand.process(7).text == "7, not the first process of a container")
    }

    @Test func debtIsSeen() {
        var owing = balance(1_000_000, 0, -5)
        owing.debt = .tokens(12_345)
        owing.isOverLimit = true
        let lines = BalanceBoard.screen([owing], title: "", note: nil, size: (120, 20), style: .ascii)
        #expect(lines[2].hasSuffix("remaining -5 TOKENS, debt 12 345, OVER LIMIT"), "\(lines)")
        #expect(BalanceBoard.line(owing, at: "t").hasSuffix("remaining=-5 debt=12345 over_limit"))
        #expect(TextTable([owing]).lines.last?.hasSuffix("12345 (over limit)  TOKENS") == true)
        #expect(BalanceBoard.grouped(-1_234_567) == "-1 234 567" && BalanceBoard.grouped(nil) == "-")
    }

    @Test(arguments: [
        (5_000_000, "$0.05"), (0, "$0.00"), (1, "$0.00000001"), (100_000_000, "$1.00"), (-150_000_000, "-$1.50"),
        (123_456_700, "$1.234567"), (Int64.max, "$92233720368.54775807"), (Int64.min, "-$92233720368.54775808"),
    ])
    func microcentsAreShownAsDollars(microcents: Int64, dollars: String) {
        #expect(SignedAmount.usdMicrocents(microcents).withDollars == "\(microcents) USD_MICROCENTS (\(dollars))")
        #expect(SignedAmount.tokens(microcents).withDollars == "\(microcents) TOKENS")
    }

    @Test func columnsOfMicrocentsHaveDollarsAndAreAlignedAsNumbers() {
        let rows = [("tenant:acme", Int64(100_000_000)), ("tenant:acme/agent:bot", 5_000_000)].map { path, remaining in
            Balance(scope: path, scopePath: path, remaining: .usdMicrocents(remaining), spent: .usdMicrocents(0))
        }
        #expect(
            TextTable(rows).lines == [
                "SCOPE                  ALLOCATED      SPENT  RESERVED          REMAINING  UNIT",
                "tenant:acme                    -  0 ($0.00)         -  100000000 ($1.00)  USD_MICROCENTS",
                "tenant:acme/agent:bot          -  0 ($0.00)         -    5000000 ($0.05)  USD_MICROCENTS",
            ]
        )
    }

    @Test func instantsAreInUTC() {
        #expect(Instants.text(1_795_598_362_338) == "2026-11-25 09:19:22Z")
        #expect(Instants.text(-1) == "1969-12-31 23:59:59Z")
        #expect(Instants.milliseconds(httpDate: "Wed, 25 Nov 2026 09:19:22 GMT") == 1_795_598_362_000)
        #expect(Instants.httpDate(1_795_598_362_338) == "Wed, 25 Nov 2026 09:19:22 GMT")
        for text in [
            "", "Wed, 25 Nov 2000000000 09:12:00 GMT", "Wed, 25 Nov 2026 99:12:00 GMT",
            "Wednesday, 25-Nov-26 09:19:22 GMT", "Wed, 25 Nov 2026 09:19 GMT", "Wed, 25 Foo 2026 09:19:22 GMT",
        ] {
            #expect(Instants.milliseconds(httpDate: text) == nil)
        }
        #expect(
            [0, 99_999, 100_000, 6_000_000, 200_000_000].map(Instants.span) == ["0 s", "99 s", "1 min", "1 h", "2 d"]
        )
    }

    @Test func errorsHaveTheirStatus() {
        func status(_ kind: HTTPTransportError.Kind) -> CyclesCLI.ExitStatus {
            ErrorReport.status(of: .transport(HTTPTransportError(kind: kind, message: "m")))
        }
        #expect(status(.connectionFailed) == .unreachable && status(.tls) == .unreachable && status(.other) == .failure)
        func api(_ number: Int) -> CyclesCLI.ExitStatus {
            ErrorReport.status(of: .api(APIError(operation: "o", status: number, message: "m")))
        }
        #expect(
            [400, 401, 403, 404, 429, 500].map(api) == [
                .failure, .unauthorized, .unauthorized, .failure, .temporary, .temporary,
            ]
        )
        #expect(ErrorReport.status(of: .validation(ValidationIssue(field: "f", message: "m"))) == .misuse)
        let unclear = AmbiguousOutcome(operation: "o", message: "m", idempotencyKey: "k")
        #expect(ErrorReport.status(of: .ambiguous(unclear)) == .temporary)
    }

    @Test func programsGetTheDetailsOfAnError() throws {
        func members(_ document: String) throws -> JSONValue { try JSONValue(parsing: Array(document.utf8)) }
        let details: JSONValue = ["deny_detail": ["suggested_fix": "Raise it."]]
        let denial = Denial(operation: "o", reason: .actionQuotaExceeded, details: details, status: 409)
        #expect(ErrorReport.status(of: .denied(denial)) == .denied)
        #expect(try members(ErrorReport.json(.denied(denial)))["details"] == details)
        let refusal = APIError(operation: "o", status: 400, message: "m", details: ["field": "f"])
        #expect(try members(ErrorReport.json(.api(refusal)))["details"] == ["field": "f"])
        for nothing in [ErrorReport.json(.cancelled), ErrorReport.json(ToolFailure("m"))] {
            #expect(try members(nothing)["details"] == .null)
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:7878", true), ("http://localhost/v1", true), ("http://[::1]:80", true),
        ("http://localhost.example.com", false), ("http://127.example.com", false), ("http://10.0.0.1", false),
    ])
    func thisMachineIsKnownByItsNames(url: String, isThis: Bool) {
        #expect(DoctorCommand.isThisMachine(url) == isThis)
    }
}
