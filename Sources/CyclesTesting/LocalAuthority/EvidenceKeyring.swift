import Cycles

/// The keys with which the authority signs evidence, one after the other (specification: `CyclesEvidenceJwks`, rotation).
struct EvidenceKeyring: Sendable {
    /// A key, and the time from which on it signs, in milliseconds since 1970. It signs until its successor does.
    private struct Entry: Sendable {
        let key: EvidenceSigningKey
        let begin: Int64
    }

    /// That of the specification's fixtures, a public test key. Made once, since most authorities sign nothing.
    private static let firstKey = key(0)

    private static func key(_ index: Int) -> EvidenceSigningKey {
        let seed = "cycles-evidence-v0.1-fixture-signer" + (index == 0 ? "" : "-\(index)")
        return EvidenceSigningKey(seed: SHA256.hash(seed.utf8))
    }

    private var entries: [Entry] = []
    private var lastIssue: Int64 = -1

    init() { append(begin: 0) }

    private mutating func append(begin: Int64) {
        let key = entries.isEmpty ? EvidenceKeyring.firstKey : EvidenceKeyring.key(entries.count)
        entries.append(Entry(key: key, begin: begin))
    }

    /// Signs with a new key from now on. Its window begins after everything that the present key has signed.
    mutating func rotate(at now: Int64) {
        append(begin: max(now, (entries.last?.begin ?? 0) + 1, lastIssue + 1))
    }

    /// The key to sign with, its id, and the time of issue: now, or the begin of the key if that is later.
    mutating func nextIssue(at now: Int64) -> (key: EvidenceSigningKey, id: String, milliseconds: Int64) {
        let last = entries.count - 1
        lastIssue = max(now, entries[last].begin, lastIssue)
        return (entries[last].key, EvidenceKeyring.id(last), lastIssue)
    }

    private static func id(_ index: Int) -> String { "key-\(index + 1)" }

    /// The key set to publish, retired keys included.
    var document: JSONValue {
        let keys = entries.indices.map { index -> JSONValue in
            let end = index + 1 < entries.count ? entries[index + 1].begin : nil
            return [
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": .string(EvidenceKeyring.id(index)),
                "x": .string(EvidenceKeyring.base64URL(entries[index].key.publicKey)),
                "cycles_nbf_ms": .whole(entries[index].begin), "cycles_exp_ms": end.map(JSONValue.whole) ?? nil,
                "status": end == nil ? "active" : "retired",
            ]
        }
        return ["keys": .array(keys)]
    }

    private static func base64URL(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0...group.count { text.append(alphabet[bits >> (18 - 6 * digit) & 63]) }
        }
        return text
    }

    // MARK: Snapshots

    var snapshot: JSONValue {
        ["begins": .array(entries.map { .whole($0.begin) }), "last_issue": .whole(lastIssue)]
    }

    /// Nil for times that are not in order.
    init?(snapshot: JSONValue) {
        guard let begins = snapshot["begins"]?.array?.map(\.int64), let lastIssue = snapshot["last_issue"]?.int64,
            begins.first == 0, !begins.contains(nil)
        else { return nil }
        for begin in begins.compactMap({ $0 }) {
            guard begin > entries.last?.begin ?? -1 else { return nil }
            append(begin: begin)
        }
        self.lastIssue = lastIssue
    }
}
