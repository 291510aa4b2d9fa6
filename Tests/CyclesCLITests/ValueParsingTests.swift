import Cycles
import CyclesTesting
import Testing

@testable import CyclesCLI

@Suite struct ValueParsingTests {
    private func refusal<Value>(_ parse: (String) throws(InvalidValue) -> Value, _ text: String) -> String? {
        do throws(InvalidValue) {
            _ = try parse(text)
            return nil
        } catch {
            return error.expectation
        }
    }

    @Test(arguments: [
        ("30s", 30_000), ("500ms", 500), ("500", 500), ("2m", 120_000), ("1h", 3_600_000), ("1.5s", 1_500), ("0", 0),
    ])
    func timesHaveUnits(text: String, milliseconds: Int) throws {
        #expect(try Values.duration(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "s", "-1s", "1d", "1 s", "nan", "infs", "+5", "1e300h", ".5s", "1e3", "0x10s", "1.2.3s"])
    func whatIsNoTimeIsRefused(text: String) {
        #expect(refusal(Values.duration, text) == "a time such as 30s, 500ms, 2m or 1h")
    }

    @Test func amountsHaveUnits() throws {
        #expect(try Values.amount("1000:TOKENS") == .tokens(1_000))
        #expect(try Values.amount("5:usd_microcents") == .usdMicrocents(5))
        #expect(try Values.amount("0:Risk_Points") == .riskPoints(0))
        #expect(try Values.amount("0.05USD") == .usdMicrocents(5_000_000))
        #expect(try Values.amount("0.05:usd") == .usdMicrocents(5_000_000))
        #expect(try Values.amount("1000 tokens") == .tokens(1_000))
        for text in [
            "1000", "1000:", ":TOKENS", "1.5:TOKENS", "-1:TOKENS", "1:EUR", "9223372036854775808:TOKENS", "1:TOKENS:",
        ] {
            #expect(refusal(Values.amount, text)?.contains("such as 1000:TOKENS") == true, "\(text)")
        }
    }

    @Test func subjectsHaveNamesAndDimensions() throws {
        let subject = try Values.subject("tenant=acme,agent=bot,cost_center=a=b")
        #expect(subject == Subject(tenant: "acme", agent: "bot", dimensions: ["cost_center": "a=b"]))
        for text in ["", "tenant", "tenant=", "=acme", "tenant=acme,"] {
            #expect(refusal(Values.subject, text) != nil, "\(text)")
        }
    }

    @Test func nothingIsLookedUpByDimensions() throws {
        #expect(try Values.levels("tenant=acme,toolset=web") == Subject(tenant: "acme", toolset: "web"))
        let names = "tenant, workspace, app, workflow, agent, toolset"
        #expect(refusal(Values.levels, "cost_center=5") == "of \(names) only: not cost_center")
        #expect(refusal(Values.levels, "tenant=acme,agnet=bot") == "of \(names) only: not agnet, perhaps agent")
    }

    @Test func actionsHaveAKindAndAName() throws {
        #expect(
            try Values.action("llm.completion/openai/gpt-4o") == Action(kind: "llm.completion", name: "openai/gpt-4o")
        )
        for text in ["llm.completion", "/gpt", "llm/"] { #expect(refusal(Values.action, text) != nil, "\(text)") }
    }

    @Test func wordsAreOnesOfTheProtocol() throws {
        #expect(try Values.overagePolicy("allow-with-overdraft") == .allowWithOverdraft)
        #expect(refusal(Values.overagePolicy, "maybe") == "one of REJECT, ALLOW_IF_AVAILABLE, ALLOW_WITH_OVERDRAFT")
        #expect(try Values.status("active") == .active)
        #expect(refusal(Values.status, "gone") != nil)
    }

    @Test func metadataIsAnObject() throws {
        #expect(try Values.jsonObject("{\"run\": 42}") == ["run": 42])
        #expect(refusal(Values.jsonObject, "[1]")?.contains("such as") == true)
        #expect(refusal(Values.jsonObject, "{run: 42}")?.contains("at byte 1") == true)
    }

    @Test func budgetsOfAServerAreOnOneLine() throws {
        let budget = try ServeCommand.parseBudget(
            "tenant:acme/agent:bot=1000:TOKENS,overdraft=50,max-tokens=256,status=frozen"
        )
        #expect(budget.scope == "tenant:acme/agent:bot" && budget.allocated == .tokens(1_000))
        let dollars = try ServeCommand.parseBudget("tenant:acme=5USD,overdraft=0.5USD")
        #expect(dollars.allocated == .usdMicrocents(500_000_000) && dollars.overdraftLimit == 50_000_000)
        #expect(refusal(ServeCommand.parseBudget, "tenant:acme=5USD,overdraft=3TOKENS") != nil)
        #expect(budget.overdraftLimit == 50 && budget.caps == Caps(maxTokens: 256) && budget.status == .frozen)
        for text in [
            "tenant:acme", "acme=1:TOKENS", "agent:a/tenant:b=1:TOKENS", "tenant:acme=1", "tenant:acme=1:TOKENS,what=1",
        ] {
            #expect(refusal(ServeCommand.parseBudget, text) != nil, "\(text)")
        }
        for (text, part) in [
            ("tenant:acme=10", "amount"), ("tenant:acme=10:TOKENS,overdraft=x", "overdraft"),
            ("tenant:acme=10:TOKENS,max-tokens=-1", "max-tokens"), ("tenant:acme=10:TOKENS,status=open", "status"),
        ] {
            let refused = #expect(throws: InvalidValue.self) { try ServeCommand.parseBudget(text) }
            #expect(refused?.part == part)
        }
        #expect(try ServeCommand.parseKey("acme=dev=key").key == "dev=key")
        #expect(try ServeCommand.parseKey("dev-key").tenant == nil)
        for key in ["dGVzdGtleQ==", "sk+sec/ret==", "a/b=key", "acme="] {
            let parsed = try ServeCommand.parseKey(key)
            #expect(parsed.tenant == nil && parsed.key == key)
        }
        #expect(refusal(ServeCommand.parseKey, "") != nil)
        #expect(try ServeCommand.parseFailure("limit_exceeded:2s").retryAfter == .seconds(2))
        #expect(refusal(ServeCommand.parseFailure, "OOPS") != nil)
    }
}
