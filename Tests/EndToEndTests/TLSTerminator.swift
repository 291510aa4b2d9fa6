import Foundation

/// nginx on free ports of 127.0.0.1, which ends TLS and speaks HTTP/2, with certificates made for it.
///
/// It runs until it is let go, in a folder of its own, and is ended by its own process id.
final class TLSTerminator {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let folder: URL
    /// Offers HTTP/2; the certificate is for `localhost`.
    let port: Int
    /// Wants a certificate of the client.
    let strictPort: Int
    /// Offers HTTP/1.1 only.
    let plainPort: Int
    private let process = Process()
    private let lifeline = Pipe()

    var authorityPath: String { path("ca.pem") }
    var clientCertificatePath: String { path("client.pem") }
    var clientKeyPath: String { path("client.key") }
    var socketPath: String { path("http.sock") }

    /// - Parameter upstream: where requests go, such as `127.0.0.1:8080`.
    init(upstream: String) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("cycles-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        (port, strictPort, plainPort) = (try freePort(), try freePort(), try freePort())
        try makeCertificates()
        try configuration(upstream).write(
            to: folder.appendingPathComponent("nginx.conf"),
            atomically: true,
            encoding: .utf8
        )
        // The shell ends nginx when its standard input ends, which it does however this process ends.
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "\"$0\" -p . -c nginx.conf -e error.log </dev/null & nginx=$!; cat >/dev/null; kill -9 $nginx; wait",
            try TLSTerminator.executable("nginx").path,
        ]
        process.currentDirectoryURL = folder
        process.standardInput = lifeline
        try process.run()
        let deadline = Date(timeIntervalSinceNow: 10)
        while !isListening(port) || !FileManager.default.fileExists(atPath: socketPath) {
            guard process.isRunning, Date() < deadline else {
                throw Failure(
                    description: "nginx did not start: "
                        + (try String(contentsOfFile: path("error.log"), encoding: .utf8))
                )
            }
            pause(.milliseconds(5))
        }
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
        try? FileManager.default.removeItem(at: folder)
    }

    /// The hash by which a client pins the server's public key.
    func publicKeyPin() throws -> String {
        try run(
            "/bin/sh",
            [
                "-c",
                """
                openssl x509 -in server.pem -noout -pubkey | openssl pkey -pubin -outform der \
                | openssl dgst -sha256 -binary | openssl base64 -out pin
                """,
            ]
        )
        let text = try String(contentsOfFile: path("pin"), encoding: .utf8)
        return "sha256//" + text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func makeCertificates() throws {
        let openssl = try TLSTerminator.executable("openssl").path
        func request(_ name: String, _ subject: String) throws {
            try run(
                openssl,
                [
                    "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    "\(name).key",
                    "-out", "\(name).csr", "-subj", "/CN=\(subject)",
                ]
            )
        }
        try run(
            openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                "ca.key",
                "-out", "ca.pem", "-days", "2", "-subj", "/CN=Authority of the test",
            ]
        )
        for (name, subject) in [("server", "localhost"), ("client", "client")] {
            try request(name, subject)
            try "subjectAltName=DNS:localhost\n"
                .write(to: folder.appendingPathComponent("names"), atomically: true, encoding: .utf8)
            try run(
                openssl,
                [
                    "x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                    "-days",
                    "2", "-extfile", "names", "-out", "\(name).pem",
                ]
            )
        }
    }

    private func configuration(_ upstream: String) -> String {
        func server(_ listen: String, _ options: String) -> String {
            """
            server {
                listen \(listen);
                \(options)
                location / {
                    proxy_pass http://\(upstream);
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    add_header X-Protocol $server_protocol always;
                    add_header X-Connection $connection always;
                    add_header X-Client $ssl_client_s_dn always;
                }
            }
            """
        }
        return """
            daemon off;
            master_process off;
            pid \(path("nginx.pid"));
            error_log \(path("error.log"));
            events { worker_connections 512; }
            http {
                access_log off;
                keepalive_timeout 600;
                client_body_temp_path \(path("body"));
                proxy_temp_path \(path("proxy"));
                fastcgi_temp_path \(path("fastcgi"));
                uwsgi_temp_path \(path("uwsgi"));
                scgi_temp_path \(path("scgi"));
                ssl_certificate \(path("server.pem"));
                ssl_certificate_key \(path("server.key"));
                \(server("127.0.0.1:\(port) ssl http2", ""))
                \(server("127.0.0.1:\(strictPort) ssl http2", "ssl_client_certificate \(authorityPath); ssl_verify_client on;"))
                \(server("127.0.0.1:\(plainPort) ssl", ""))
                \(server("unix:\(socketPath)", ""))
            }
            """
    }

    private func run(_ executable: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let text = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(executable) \(arguments): \(String(decoding: text, as: UTF8.self))")
        }
    }

    private static func executable(_ name: String) throws -> URL {
        for folder in ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"] {
            let path = "\(folder)/\(name)"
            if FileManager.default.isExecutableFile(atPath: path) { return URL(fileURLWithPath: path) }
        }
        throw Failure(description: "\(name) is not installed; Scripts/test.sh installs it")
    }
}
