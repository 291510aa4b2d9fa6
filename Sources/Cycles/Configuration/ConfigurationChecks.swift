extension CyclesConfiguration {
    /// Checks all settings without I/O, and returns the parts of the base URL.
    package func checked() throws(CyclesError) -> BaseURL {
        let base = try BaseURL(baseURL)
        if requiresAPIKey || !apiKey.isEmpty { try CyclesConfiguration.check(key: apiKey, "apiKey") }
        if let adminAPIKey { try CyclesConfiguration.check(key: adminAPIKey, "adminAPIKey") }
        let defaults: [(String, String?)] = [
            ("tenant", tenant), ("workspace", workspace), ("app", app), ("workflow", workflow), ("agent", agent),
            ("toolset", toolset),
        ]
        for (name, value) in defaults {
            if let value, value.unicodeScalars.count > 128 { throw refuse(name, "is longer than 128 characters") }
        }
        for (name, span) in [("connectTimeout", connectTimeout), ("readTimeout", readTimeout)] {
            guard span >= .milliseconds(1) else { throw refuse(name, "has to be at least a millisecond") }
            guard span <= .seconds(86_400) else { throw refuse(name, "is longer than a day") }
        }
        guard (1...10_000).contains(maxConnections) else { throw refuse("maxConnections", "is not from 1 to 10 000") }
        guard maxResponseBytes >= 1 else { throw refuse("maxResponseBytes", "has to be at least 1") }
        if let problem = journal.directoryProblem { throw refuse("journal", problem) }
        try checkRetry()
        try checkTransport(base)
        if let userAgentSuffix {
            guard userAgentSuffix.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
                throw refuse("userAgentSuffix", "contains characters other than visible ASCII and spaces")
            }
        }
        return base
    }

    /// Checks that a key can be sent.
    /// - Throws: ``CyclesError/configuration(_:)`` with the setting `name` if it cannot.
    package static func check(key: String, _ name: String) throws(CyclesError) {
        guard !key.isBlank else {
            throw .configuration(ConfigurationIssue(name: name, message: "is blank; give the key"))
        }
        guard !key.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw .configuration(
                ConfigurationIssue(name: name, message: "contains a line break or another control character")
            )
        }
    }

    private func checkRetry() throws(CyclesError) {
        guard retry.maxRetries >= 0 else { throw refuse("retry.maxRetries", "is less than zero") }
        guard retry.initialDelay > .zero else { throw refuse("retry.initialDelay", "has to be more than zero") }
        guard retry.maxDelay >= retry.initialDelay else {
            throw refuse("retry.maxDelay", "is shorter than retry.initialDelay")
        }
        guard retry.multiplier >= 1, retry.multiplier.isFinite else {
            throw refuse("retry.multiplier", "has to be a number of 1 or more")
        }
        guard (0...1).contains(retry.jitter) else { throw refuse("retry.jitter", "is not from 0 to 1") }
        guard retry.inlineBudget >= .zero else { throw refuse("retry.inlineBudget", "is less than zero") }
        guard retry.flushTimeout >= .zero else { throw refuse("retry.flushTimeout", "is less than zero") }
    }

    private func checkTransport(_ base: BaseURL) throws(CyclesError) {
        let paths: [(String, String?)] = [
            ("tls.caBundlePath", tls.caBundlePath), ("tls.clientCertificatePath", tls.clientCertificatePath),
            ("tls.clientKeyPath", tls.clientKeyPath), ("tls.pinnedPublicKey", tls.pinnedPublicKey),
            ("proxy", proxy), ("unixSocketPath", unixSocketPath),
        ]
        for (name, value) in paths {
            guard let value else { continue }
            guard !value.isEmpty, !value.utf8.contains(0) else { throw refuse(name, "is empty or contains NUL") }
        }
        if tls.clientKeyPath != nil, tls.clientCertificatePath == nil {
            throw refuse("tls.clientKeyPath", "is given without tls.clientCertificatePath")
        }
        if !base.isSecure, tls != TLSOptions() {
            throw refuse("tls", "has options, but baseURL is http: they would have no effect")
        }
        if let unixSocketPath, unixSocketPath.utf8.count > 103 {
            throw refuse("unixSocketPath", "is longer than 103 bytes, the most that a socket address holds")
        }
    }

    private func refuse(_ name: String, _ message: String) -> CyclesError {
        .configuration(ConfigurationIssue(name: name, message: message))
    }
}
