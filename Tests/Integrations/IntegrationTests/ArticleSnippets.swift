// The blocks of the article "Tracing, logging, metrics", which need package traits. `SnippetTests` in the package's own
// tests fails if a block of the article is not here.

import Cycles

#if Logging
    import Logging

    func logEvents(_ configuration: inout CyclesConfiguration) {
        configuration.observer = LoggingObserver(logger: Logger(label: "cycles"))
    }
#endif

#if Metrics
    func countAndTime(_ configuration: inout CyclesConfiguration) {
        configuration.observer = MetricsObserver(prefix: "cycles")
    }
#endif

#if ServiceLifecycle && Logging
    import ServiceLifecycle

    func shutDownGracefully(client: CyclesClient, server: any Service, logger: Logger) async throws {
        let group = ServiceGroup(services: [client, server], gracefulShutdownSignals: [.sigterm], logger: logger)
        try await group.run()
    }
#endif
