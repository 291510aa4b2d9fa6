import CCurl
import Testing

@testable import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct CurlFailureTests {
    private static let socket = CurlRoute.unixSocket("/run/cycles.sock")
    private static let proxy = CurlRoute.proxy(host: "proxy:3128")

    /// A connection that could not be made.
    private func unconnected(_ systemError: Int32, _ route: CurlRoute) -> HTTPTransportError {
        CurlFailure(
            code: .init(rawValue: 7),
            text: "Couldn't connect to server",
            systemError: systemError,
            server: "server:7878",
            route: route,
            isNameResolved: true
        ).error
    }

    @Test(arguments: [
        (EMFILE, CurlRoute.direct, HTTPTransportError.Kind.resourcesExhausted, "ulimit -n"),
        (ENFILE, .direct, .resourcesExhausted, "the system has reached its limit of open files"),
        (ENOBUFS, .direct, .resourcesExhausted, "no memory left for connections"),
        (ENOMEM, CurlFailureTests.socket, .resourcesExhausted, "no memory left for connections"),
        (EADDRNOTAVAIL, .direct, .connectionFailed, "no free port"),
        (EACCES, .direct, .connectionFailed, "firewall"),
        (EPERM, CurlFailureTests.proxy, .connectionFailed, "firewall"),
        (EACCES, CurlFailureTests.socket, .connectionFailed, "needs permission"),
        (ENOENT, CurlFailureTests.socket, .connectionFailed, "check the path of the socket"),
        (ECONNREFUSED, CurlFailureTests.socket, .connectionFailed, "nothing listens there"),
        (EPROTOTYPE, CurlFailureTests.socket, .connectionFailed, "another type"),
        (EAGAIN, CurlFailureTests.socket, .connectionFailed, "too many connections wait"),
        (ENETUNREACH, .direct, .connectionFailed, "the address in the base URL"),
        (EHOSTUNREACH, CurlFailureTests.proxy, .connectionFailed, "the address in the proxy's URL"),
    ])
    func theSystemsReasonDecidesTheAdvice(
        number: Int32,
        route: CurlRoute,
        kind: HTTPTransportError.Kind,
        advice: String
    ) {
        let error = unconnected(number, route)
        let prefix = "Failed connecting to server:7878\(route.suffix): \(SystemErrors.text(number)) (libcurl 7); "
        #expect(error.message.hasPrefix(prefix), "\(error)")
        #expect(error.message.hasPart(advice), "\(error)")
        #expect(error.kind == kind && error.hasAdvice && error.wasRequestSent == false)
    }

    @Test func aServerThatRefusesIsLeftToTheAdviceOfTheClient() {
        let error = unconnected(ECONNREFUSED, .direct)
        #expect(error.message == "Failed connecting to server:7878: \(SystemErrors.text(ECONNREFUSED)) (libcurl 7)")
        #expect(error.kind == .connectionFailed && !error.hasAdvice)
    }

    @Test(arguments: [
        (UInt32(6), "Could not resolve host: nope", HTTPTransportError.Kind.connectionFailed, "name in the base URL"),
        (5, "Could not resolve proxy: nope", .connectionFailed, "name of the proxy"),
        (6, "getaddrinfo() thread failed to start", .resourcesExhausted, "no further thread"),
    ])
    func namesThatAreNotResolvedAreTold(code: UInt32, text: String, kind: HTTPTransportError.Kind, advice: String) {
        let error = CurlFailure(code: .init(rawValue: code), text: text, server: "nope").error
        #expect(error.message.hasPrefix("Failed resolving and connecting to nope: \(text) (libcurl \(code)); "))
        #expect(error.message.hasPart(advice), "\(error)")
        #expect(error.kind == kind)
    }

    @Test(arguments: [
        ("http://proxy:3128", "proxy:3128"), ("http://user:pa@ss/word@proxy:3128/", "proxy:3128"), ("proxy", "proxy"),
        ("socks5h://[::1]:1080", "[::1]:1080"), ("user:secret@proxy", "proxy"),
    ])
    func aProxyIsNamedWithoutItsCredentials(url: String, host: String) {
        #expect(CurlRoute.host(ofProxy: url) == host)
    }
}
