/// Reports about the folders of other identities.
extension RecordStore {
    /// Returns the folders of other identities that contain records, in the order of their names.
    package func foldersWithRecords(except known: Set<String>) -> [(name: String, count: Int)] {
        guard let base else { return [] }
        return ((try? files.list(base)) ?? []).sorted().filter { !known.contains($0) }.compactMap { name in
            let count = ((try? files.list("\(base)/\(name)")) ?? []).count(where: JournalNames.isRecord)
            return count > 0 ? (name, count) : nil
        }
    }

    /// Reports records of other identities, which a change of the configuration may have left behind.
    package mutating func reportSiblings(_ siblings: [(name: String, count: Int)]) {
        guard let base else { return }
        for (name, count) in siblings {
            report(
                "\(base)/\(name)",
                "\(count) settlements of another base URL, tenant or key wait here; only a client "
                    + "with that base URL and tenant or key settles them"
            )
        }
    }
}
