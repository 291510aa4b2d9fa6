import Cycles
import Foundation
import Testing

/// The servers in the network that the script made; nil outside the network.
private struct Namespace {
    var hosts: String
    var answering: String
    var silent: String
    var refusing: String
    var port: Int

    static let current: Namespace? = {
        let variables = ProcessInfo.processInfo.environment
        guard let hosts = variables["NAMESPACE_HOSTS"], let answering = variables["NAMESPACE_ANSWERING"],
            let silent = variables["NAMESPACE_SILENT"], let refusing = variables["NAMESPACE_REFUSING"],
            let port = variables["NAMESPACE_PORT"].flatMap(Int.init)
        else { return nil }
        return Namespace(hosts: hosts, answering: answering, silent: silent, refusing: refusing, port: port)
    }()
}

/// The transport where hosts have addresses that do not answer. `Tests/Namespaces/run.sh` makes such a network, runs these
/// tests in it, and says by variables what there is: the file of host names, and addresses for `authority.test`.
@Suite(.serialized, .enabled(if: Namespace.current != nil)) struct NamespaceTests {
    enum Form: CaseIterable { case async, blocking }

    private let namespace: Namespace
    private let transport = CurlTransport(configuration: CyclesConfiguration(baseURL: "http://h", apiKey: "key"))

    init() throws { namespace = try #require(Namespace.current) }

    /// Names the addresses of `authority.test`, in the file that is in place of `/etc/hosts`.
    private func setAddresses(_ addresses: String...) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: namespace.hosts))
        try file.truncate(atOffset: 0)
        for address in addresses { try file.write(contentsOf: Data("\(address) authority.test\n".utf8)) }
        try file.close()
    }

    private func send(_ form: Form) async -> Result<HTTPResponse, HTTPTransportError> {
        let request = HTTPRequest(method: .get, url: "http://authority.test:\(namespace.port)/v1/balances?tenant=acme")
        func block() throws(HTTPTransportError) -> HTTPResponse { try transport.send(request) }
        do throws(HTTPTransportError) {
            switch form {
            case .async: return .success(try await transport.send(request))
            case .blocking: return .success(try block())
            }
        } catch {
            return .failure(error)
        }
    }

    private func isAnswered(_ form: Form) async -> Bool {
        // The key is not one of the server's, which is an answer too.
        if case .success(let response) = await send(form) { return response.status == 401 }
        return false
    }

    @Test(arguments: Form.allCases) func theSecondAddressIsTriedWhenTheFirstDoesNotAnswer(form: Form) async throws {
        try setAddresses(namespace.silent, namespace.answering)
        let start = ContinuousClock.now
        #expect(await isAnswered(form))
        #expect(start.duration(to: .now) < .milliseconds(1_900))
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases) func aServerThatMovedIsFoundAtTheNextAttempt(form: Form) async throws {
        try setAddresses(namespace.refusing)
        guard case .failure(let refused) = await send(form) else {
            Issue.record("answered")
            return
        }
        #expect(refused.kind == .connectionFailed)
        try setAddresses(namespace.answering)
        #expect(await isAnswered(form))
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases) func aServerThatMovedIsFoundAfterATimeout(form: Form) async throws {
        try setAddresses(namespace.silent)
        guard case .failure(let silent) = await send(form) else {
            Issue.record("answered")
            return
        }
        #expect(silent.kind == .timedOut)
        try setAddresses(namespace.answering)
        #expect(await isAnswered(form))
        await transport.shutdown()
    }

    @Test func whatOneFormLearnsTheOtherKnows() async throws {
        try setAddresses(namespace.answering)
        #expect(await isAnswered(.blocking))
        try setAddresses(namespace.refusing)
        guard case .failure = await send(.async) else {
            Issue.record("answered")
            return
        }
        try setAddresses(namespace.answering)
        #expect(await isAnswered(.async))
        await transport.shutdown()
    }
}
