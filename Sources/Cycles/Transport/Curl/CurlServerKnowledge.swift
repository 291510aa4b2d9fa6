import Synchronization

/// Facts about the server that transfers have learned, for the transfers after them.
final class CurlServerKnowledge: Sendable {
    private let start = ContinuousClock.now
    /// Milliseconds after `start`; negative if there was no failure.
    private let lastFailure = Atomic<Int64>(-1)
    private let lastHTTPVersion = Atomic<Int>(0)

    /// The greatest age of a host's address that is still used, in seconds.
    ///
    /// Addresses from before a failure are not used again, since the server may have moved. libcurl counts in whole
    /// seconds, and takes an address for too old that has reached this age.
    var addressLifetime: Int {
        let failure = lastFailure.load(ordering: .relaxed)
        guard failure >= 0 else { return CurlServerKnowledge.longestAddressLifetime }
        let seconds = (start.duration(to: .now).wholeMilliseconds - failure) / 1_000
        return min(max(0, Int(clamping: seconds)), CurlServerKnowledge.longestAddressLifetime)
    }

    /// libcurl's own default.
    private static let longestAddressLifetime = 60

    func noteFailure() { lastFailure.store(start.duration(to: .now).wholeMilliseconds, ordering: .relaxed) }

    /// - Parameter version: As in `CURL_HTTP_VERSION_1_1`, of an answer over TLS.
    func noteHTTPVersion(_ version: Int) {
        if lastHTTPVersion.load(ordering: .relaxed) != version { lastHTTPVersion.store(version, ordering: .relaxed) }
    }

    /// Whether the server has answered over TLS, and not by HTTP/2.
    var speaksHTTP1OverTLS: Bool { (1...2).contains(lastHTTPVersion.load(ordering: .relaxed)) }
}
