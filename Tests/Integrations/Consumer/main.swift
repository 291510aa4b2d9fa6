import Cycles

// A program that uses the client and each enabled integration, to look at what such a program links.
let configuration = CyclesConfiguration(baseURL: "http://127.0.0.1:1", apiKey: "key")
let client = try CyclesClient(configuration: configuration)
#if Metrics
    _ = MetricsObserver()
#endif
await client.shutdown()
