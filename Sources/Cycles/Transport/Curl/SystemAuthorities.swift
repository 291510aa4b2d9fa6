internal import CCurl

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The certificate authorities that the system trusts, for a libcurl that was built on another system.
///
/// The libcurl of a statically linked program searches the paths of the system on which it was built. The program may
/// run on another system.
enum SystemAuthorities {
    /// The paths of certificate bundles on common systems.
    package static let knownBundles = [
        "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Arch, Gentoo
        "/etc/pki/tls/certs/ca-bundle.crt",  // Fedora, RHEL
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // recent Fedora and RHEL
        "/etc/ssl/ca-bundle.pem",  // SUSE
        "/etc/ssl/cert.pem",  // Alpine, BSD, macOS
    ]

    /// The file or directory to set in libcurl; nil if libcurl finds the authorities itself. Computed once, because the
    /// paths do not change while a process runs.
    static let bundlePath = choice(
        file: cycles_built_in_authority_file().map { String(cString: $0) },
        directory: cycles_built_in_authority_directory().map { String(cString: $0) },
        exists: { access($0, R_OK) == 0 }
    )

    /// - Parameters:
    ///   - file: The file that libcurl searches by default.
    ///   - directory: The directory that libcurl searches by default.
    package static func choice(file: String?, directory: String?, exists: (String) -> Bool) -> String? {
        let places = [file, directory].compactMap { $0 }
        // A libcurl without default paths uses another source of the system.
        if places.isEmpty || places.contains(where: exists) { return nil }
        return knownBundles.first(where: exists)
    }
}
