internal import CCurl

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The certificate authorities that the system trusts, for a libcurl that was built on another.
///
/// A statically linked program looks where the system that it was built on keeps them, and may run on any.
enum SystemAuthorities {
    /// Where systems keep them in one file.
    package static let knownBundles = [
        "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Arch, Gentoo
        "/etc/pki/tls/certs/ca-bundle.crt",  // Fedora, RHEL
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora and RHEL of late
        "/etc/ssl/ca-bundle.pem",  // SUSE
        "/etc/ssl/cert.pem",  // Alpine, BSD, macOS
    ]

    /// The file or directory to name to libcurl; nil if libcurl finds the authorities by itself. Read once, since they do
    /// not change while a process runs.
    static let bundlePath = choice(
        file: cycles_built_in_authority_file().map { String(cString: $0) },
        directory: cycles_built_in_authority_directory().map { String(cString: $0) },
        exists: { access($0, R_OK) == 0 }
    )

    /// - Parameters:
    ///   - file: Where libcurl looks for a file.
    ///   - directory: Where it looks for a directory.
    package static func choice(file: String?, directory: String?, exists: (String) -> Bool) -> String? {
        let places = [file, directory].compactMap { $0 }
        // One that names no place uses what the system has to offer otherwise.
        if places.isEmpty || places.contains(where: exists) { return nil }
        return knownBundles.first(where: exists)
    }
}
