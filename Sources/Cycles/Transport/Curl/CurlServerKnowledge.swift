import Synchronization

/// Facts about the server that transfers have learned, for use by later transfers.
final class CurlServerKnowledge: Sendable {
    private let start = ContinuousClock.now
    /// Milliseconds after `start`; negative if no transfer has failed.
    private let lastFailure = Atomic<Int64>(-1)
    private let lastHTTPVersion = Atomic<Int>(0)

    /// The maximum age of a cached address, in seconds.
    ///
    /// Addresses from before a failure are not used again, because the server may have moved. libcurl counts whole
    /// seconds, and discards an address that has reached the maximum age.
    var addressLifetime: Int {
        let failure = lastFailure.load(ordering: .relaxed)
        guard failure >= 0 else { return CurlServerKnowledge.longestAddressLifetime }
        let seconds = (start.duration(to: .now).wholeMilliseconds - failure) / 1_000
        return min(max(0, Int(clamping: seconds)), CurlServerKnowledge.longestAddressLifetime)
    }

    /// The default of libcurl.
    private static let longestAddressLifetime = 60

    func noteFailure() { lastFailure.store(start.duration(to: .now).wholeMilliseconds, ordering: .relaxed) }

    /// - Parameter version: A value such as `CURL_HTTP_VERSION_1_1`, from an answer over TLS.
    func noteHTTPVersion(_ version: Int) {
        if lastHTTPVersion.load(ordering: .relaxed) != version { lastHTTPVersion.store(version, ordering: .relaxed) }
    }

    /// Whether the last answer over TLS used HTTP/1 rather than HTTP/2.
    var speaksHTTP1OverTLS: Bool { (1...2).contains(lastHTTPVersion.load(ordering: .relaxed)) }
}
