/// The owner of records: a server, and a tenant or API key.
package struct JournalIdentity: Hashable, Sendable {
    package let baseURL: String
    package var apiKey: Secret
    package let tenant: String?

    package init(_ configuration: CyclesConfiguration) {
        self.init(
            baseURL: configuration.baseURL,
            apiKey: Secret(configuration.apiKey),
            tenant: configuration.tenant
        )
    }

    package init(baseURL: String, apiKey: Secret, tenant: String?) {
        self.baseURL = baseURL
        self.apiKey = apiKey
        self.tenant = tenant
    }
}

/// File and folder names, which all clients of the protocol share.
package enum JournalNames {
    /// The name of a record's file: the hash of the exact UTF-8 bytes of its reservation id.
    package static func file(_ id: ReservationID) -> String {
        "v2-" + Hexadecimal.text(SHA256.hash(id.rawValue.utf8)) + ".json"
    }

    /// The names that older clients give the file; several reservations may share one. Some clients replace Unicode
    /// scalars, others UTF-16 code units.
    package static func legacyFiles(_ id: ReservationID) -> Set<String> {
        func name(_ units: some Sequence<UInt32>) -> String {
            let characters = units.map { unit in
                Unicode.Scalar(unit).flatMap { legacyCharacters.contains($0) ? Character($0) : nil } ?? "_"
            }
            return String(characters) + ".json"
        }
        return [name(id.rawValue.unicodeScalars.map(\.value)), name(id.rawValue.utf16.map { UInt32($0) })]
    }

    private static let legacyCharacters = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".unicodeScalars
    )

    /// The folder of an identity: the first 16 digits of a key derived from the tenant or, without a tenant, from the
    /// API key.
    ///
    /// The derivation is slow by design, so that the API key cannot be guessed from the folder's name.
    /// - Parameters:
    ///   - baseURL: The base URL as configured.
    ///   - tenant: The tenant as configured; a blank tenant counts as none.
    package static func folder(baseURL: String, apiKey: String, tenant: String?) -> String {
        let identity = FolderIdentity(baseURL: baseURL, apiKey: apiKey, tenant: tenant)
        // The name is derived once for each identity of the process, since clients come and go. The key is not stored.
        let question = identity.digest
        let isAsked = knownFolders.withLock { known in
            known.updateValue(known[question] ?? nil, forKey: question) != nil
        }
        if isAsked { return knownFolders.wait { $0[question] ?? nil } }
        let derived = PBKDF2.derive(
            password: Array(identity.password.utf8),
            salt: Array(identity.salt.utf8),
            rounds: 30_000,
            length: 32
        )
        let folder = String(Hexadecimal.text(derived).prefix(16))
        knownFolders.withLock { $0[question] = folder }
        return folder
    }

    package static func folder(_ identity: JournalIdentity) -> String {
        folder(baseURL: identity.baseURL, apiKey: identity.apiKey.value, tenant: identity.tenant)
    }

    /// The folder of an identity; nil if the name is still to be derived.
    package static func derivedFolder(_ identity: JournalIdentity) -> String? {
        let question = FolderIdentity(
            baseURL: identity.baseURL,
            apiKey: identity.apiKey.value,
            tenant: identity.tenant
        ).digest
        return knownFolders.withLock { $0[question] ?? nil }
    }

    /// The texts that a folder's name is derived from.
    private struct FolderIdentity {
        let password: String
        let salt: String

        init(baseURL: String, apiKey: String, tenant: String?) {
            if let tenant, !tenant.isBlank { password = "tenant\n" + tenant } else { password = "key\n" + apiKey }
            salt = "runcycles-commit-journal\n" + baseURL
        }

        /// Differs in a forked process, in which nobody ends a derivation that its parent has begun.
        var digest: [UInt8] {
            let process = String(SystemFileSystem().processID)
            return SHA256.hash(Array(password.utf8) + [0] + Array(salt.utf8) + [0] + Array(process.utf8))
        }
    }

    /// The folders of identities; nil while a name is being derived.
    private static let knownFolders = WaitableLock([[UInt8]: String?]())

    /// The default directory for the folders of all identities; nil without a home directory.
    package static func base(inHome home: String?) -> String? { home.map { $0 + "/.runcycles/commit-journal" } }

    /// Splits a path into folder and file name.
    package static func parts(of path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    /// Whether a folder's name is that of an identity.
    package static func isFolder(_ name: String) -> Bool {
        name.utf8.count == 16 && name.utf8.allSatisfy { $0 &- 0x30 < 10 || $0 &- 0x61 < 6 }
    }

    /// The kind of a file, derived from its name; nil if the file neither is nor was a record.
    package static func state(_ name: String) -> SettlementJournal.State? {
        if isRecord(name) { return .pending }
        if name.hasSuffix(".json.rejected") { return .rejected }
        return name.hasSuffix(".corrupt") ? .corrupt : nil
    }

    /// Whether a file's name is that of a record.
    package static func isRecord(_ name: String) -> Bool { name.hasSuffix(".json") }

    /// Whether a file's name is that of an unfinished file.
    package static func isTemporary(_ name: String) -> Bool { name.hasSuffix(".tmp") }

    /// Eight random digits, for the name of a new file.
    package static func randomMark() -> String {
        Hexadecimal.text(withUnsafeBytes(of: UInt32(truncatingIfNeeded: SystemRandomness.words().0)) { Array($0) })
    }
}
