import Cycles
import CyclesTesting
import Testing

/// A client of an authority that grants up to 1 000 tokens.
func makeClient(
    _ authority: LocalAuthority = makeAuthority(),
    observer: (any CyclesObserver)? = nil
) throws -> CyclesClient {
    var configuration = CyclesConfiguration(baseURL: "http://authority", apiKey: key)
    configuration.tenant = "acme"
    configuration.journal = .disabled
    configuration.observer = observer
    return try CyclesClient(configuration: configuration, transport: authority)
}

let key = "cyc_a_key_that_nothing_may_show"

func makeAuthority() -> LocalAuthority {
    let authority = LocalAuthority()
    authority.addAPIKey(key, tenant: "acme")
    authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
    return authority
}

func request(_ estimate: Int64) -> ReservationCreateRequest {
    ReservationCreateRequest(action: Action(kind: "llm.completion", name: "test"), estimate: .tokens(estimate))
}
