/// Reports about records of identities that no client of this process has used, one for each audience.
///
/// A report waits until the names of all clients' folders are derived, unless every folder with records is known.
struct SiblingReports: Sendable {
    /// A report whose folders are known.
    struct Ready {
        let client: JournalClient
        let folders: [(name: String, count: Int)]
        /// Callers that wait for the report.
        let completions: [@Sendable () -> Void]
    }

    private struct Report {
        let client: JournalClient
        var completions: [@Sendable () -> Void] = []
    }

    private var waiting: [Report] = []
    /// The folders of clients that have left.
    private var formerFolders: Set<String> = []
    /// The identities whose names the waiting reports need.
    private var unnamed: [JournalIdentity] = []
    /// Whether names are being derived.
    private var isDeriving = false

    /// Begins the report to the client's audience, unless that audience has had a report.
    mutating func begin(_ client: JournalClient) {
        if client.audience.beginReportOfSiblings() { waiting.append(Report(client: client)) }
    }

    /// Adds a caller that waits for the audience's report.
    /// - Returns: False if no report is waiting. The completion is then discarded.
    mutating func wait(_ audience: JournalAudience, _ completion: @escaping @Sendable () -> Void) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.client.audience === audience }) else { return false }
        waiting[index].completions.append(completion)
        return true
    }

    /// Adds the folder of a client that leaves it.
    mutating func leave(_ client: JournalClient) {
        // The client's earlier calls have waited for the name. Without threads, the name is derived here.
        formerFolders.insert(client.store.withLock { $0.fingerprint })
    }

    /// Returns the reports that can be made.
    /// - Parameter clients: All clients of the journal.
    mutating func takeReady(_ clients: some Sequence<JournalClient>) -> [Ready] {
        guard let first = waiting.first, !isDeriving else { return [] }
        var known = formerFolders
        for client in clients {
            let (name, identity) = client.store.withLock { ($0.derivedFingerprint, $0.identity) }
            if let name { known.insert(name) } else { unnamed.append(identity) }
        }
        let folders = first.client.store.withLock { $0.foldersWithRecords(except: known) }
        isDeriving = !folders.isEmpty && !unnamed.isEmpty
        if isDeriving { return [] }
        defer { (waiting, unnamed) = ([], []) }
        return waiting.map { Ready(client: $0.client, folders: folders, completions: $0.completions) }
    }

    /// Returns the identities whose names must be derived, once. ``derivedNames()`` must follow.
    mutating func takeUnnamed() -> [JournalIdentity] {
        defer { unnamed = [] }
        return unnamed
    }

    /// Handles the end of a derivation. Clients that entered meanwhile may need another one.
    mutating func derivedNames() { isDeriving = false }
}
