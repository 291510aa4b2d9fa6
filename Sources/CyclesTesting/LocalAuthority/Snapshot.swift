import Cycles

extension LocalAuthority {
    /// The error for bytes that are not a snapshot, or that contain a state no ledger can have.
    public struct RestoreError: Error, Hashable, Sendable, CustomStringConvertible {
        /// The problem with the bytes.
        public let description: String
    }
}

/// Writes the state as JSON and restores it. API keys are omitted, because they must not be stored.
extension AuthorityState {
    private static let format = "cycles-local-authority/1"

    // MARK: Writing

    var snapshot: JSONValue {
        [
            "format": .string(AuthorityState.format),
            "identifiers": [
                "incarnation": .whole(identifiers.incarnation), "requests": .whole(identifiers.requests),
                "reservations": .whole(identifiers.reservations), "events": .whole(identifiers.events),
            ],
            "tenants": .object(tenants.mapValues(\.snapshot)),
            "budgets": .array(ledger.budgets.sorted { $0.key < $1.key }.map { $0.value.snapshot($0.key) }),
            "reservations": .array(ledger.reservations.map(\.snapshot)),
            "idempotency_records": .array(recordsInOrder.map { $0.value.snapshot($0.key) }),
            "evidence": [
                "envelopes": .object(evidence.envelopes),
                "misses": .object(evidence.misses.mapValues { .whole(Int64($0)) }),
                "keys": evidence.keys ?? nil,
                "keyring": evidence.keyring.snapshot,
            ],
        ]
    }

    private var recordsInOrder: [(key: IdempotencySlot, value: IdempotencyRecord)] {
        records.map { (order: $0.key.order, record: $0) }
            .sorted { $0.order.lexicographicallyPrecedes($1.order) }
            .map { ($0.record.key, $0.record.value) }
    }

    // MARK: Reading

    init(restoring bytes: [UInt8], options: LocalAuthority.Options) throws(LocalAuthority.RestoreError) {
        let document: JSONValue
        do {
            document = try JSONValue(parsing: bytes)
        } catch {
            throw LocalAuthority.RestoreError(description: "\(error)")
        }
        guard document["format"]?.string == AuthorityState.format else {
            throw LocalAuthority.RestoreError(description: "This is no snapshot of a LocalAuthority")
        }
        guard let state = try AuthorityState(snapshot: document, options: options) else {
            throw LocalAuthority.RestoreError(description: "The snapshot is damaged")
        }
        self = state
    }

    private init?(snapshot: JSONValue, options: LocalAuthority.Options) throws(LocalAuthority.RestoreError) {
        self.init(options: options)
        guard let identifiers = snapshot["identifiers"].flatMap(IdentifierSource.init(snapshot:)),
            let tenants = snapshot["tenants"]?.object, let budgets = snapshot["budgets"]?.array,
            let reservations = snapshot["reservations"]?.array,
            let records = snapshot["idempotency_records"]?.array,
            let evidence = snapshot["evidence"].flatMap(EvidenceStore.init(snapshot:))
        else { return nil }
        self.identifiers = identifiers
        self.evidence = evidence
        for (name, entry) in tenants {
            guard let tenant = Tenant(snapshot: entry) else { return nil }
            self.tenants[name] = tenant
        }
        var paths: Set<String> = []
        for entry in budgets {
            guard let key = BudgetKey(snapshot: entry, rules), let budget = Budget(snapshot: entry) else { return nil }
            if ledger.budgets.updateValue(budget, forKey: key) != nil {
                guard paths.insert(entry["scope"]?.string ?? "").inserted else { return nil }
                throw LocalAuthority.RestoreError(
                    description:
                        "Two budgets of \(key.scope) differ in letter case; the behavior .specification keeps both"
                )
            }
            paths.insert(entry["scope"]?.string ?? "")
        }
        for entry in reservations {
            guard let reservation = Reservation(snapshot: entry, options: options, rules),
                ledger.position(of: reservation.id) == nil
            else { return nil }
            ledger.append(reservation)
        }
        guard ledger.isBalanced else { return nil }
        for entry in records {
            guard let slot = IdempotencySlot(snapshot: entry), let record = IdempotencyRecord(snapshot: entry),
                self.records.updateValue(record, forKey: slot) == nil
            else { return nil }
        }
    }
}

extension Ledger {
    /// Whether `reserved` of every budget equals the holds of its active reservations.
    fileprivate var isBalanced: Bool {
        var held: [BudgetKey: Int64] = [:]
        for position in active {
            for key in reservations[position].budgetKeys {
                guard budgets[key] != nil else { return false }
                let (sum, overflow) = held[key, default: 0].addingReportingOverflow(
                    reservations[position].estimate.amount
                )
                guard !overflow else { return false }
                held[key] = sum
            }
        }
        return budgets.allSatisfy { $0.value.reserved == held[$0.key, default: 0] }
    }
}

extension IdentifierSource {
    /// Restores the source with its own incarnation, so that new identifiers differ from those of the original.
    fileprivate init?(snapshot: JSONValue) {
        guard let incarnation = snapshot.natural("incarnation"), incarnation < .max,
            let requests = snapshot.natural("requests"), let reservations = snapshot.natural("reservations"),
            let events = snapshot.natural("events")
        else { return nil }
        self.init(incarnation: incarnation + 1, requests: requests, reservations: reservations, events: events)
    }
}

extension EvidenceStore {
    /// Also reads the form of earlier versions, which contains no keyring.
    fileprivate init?(snapshot: JSONValue) {
        guard let envelopes = snapshot["envelopes"]?.object, let misses = snapshot["misses"]?.object,
            let keys = snapshot["keys"]
        else { return nil }
        self.envelopes = envelopes
        if let entry = snapshot["keyring"] {
            guard let keyring = EvidenceKeyring(snapshot: entry) else { return nil }
            self.keyring = keyring
        }
        for id in misses.keys {
            guard let count = snapshot["misses"]?.natural(id), let count = Int(exactly: count) else { return nil }
            self.misses[id] = count
        }
        // Two steps are needed: in one expression, nil would become the JSON value null.
        if keys != .null { self.keys = keys }
    }
}

extension AuthorityState.Tenant {
    fileprivate var snapshot: JSONValue {
        JSONValue.object(["status": .string(status.rawValue)])
            .setting("default_ttl_ms", to: defaultTimeToLiveMilliseconds.map(JSONValue.whole))
            .setting("default_overage_policy", to: defaultOveragePolicy.map { .string($0.rawValue) })
            .setting("max_extensions", to: maxExtensions.map { .whole(Int64($0)) })
    }

    /// Also reads the form of earlier versions, which contains the status only.
    fileprivate init?(snapshot: JSONValue) {
        let status = (snapshot["status"] ?? snapshot).string.flatMap(LocalAuthority.TenantStatus.init)
        guard let status else { return nil }
        self.init(
            status: status,
            defaultTimeToLiveMilliseconds: snapshot.natural("default_ttl_ms"),
            defaultOveragePolicy: snapshot["default_overage_policy"]?.string.map(CommitOveragePolicy.init(rawValue:)),
            maxExtensions: snapshot.natural("max_extensions").flatMap(Int.init(exactly:))
        )
    }
}

extension BudgetKey {
    fileprivate init?(snapshot: JSONValue, _ rules: ServerRules) {
        guard let scope = snapshot["scope"]?.string, ScopePath(parsing: scope) != nil,
            let unit = snapshot["unit"]?.string.map(BudgetUnit.init(rawValue:)), Ledger.units.contains(unit)
        else { return nil }
        self.init(scope: rules.canonical(scope), unit: unit)
    }
}

extension Budget {
    fileprivate func snapshot(_ key: BudgetKey) -> JSONValue {
        [
            "scope": .string(key.scope), "unit": .string(key.unit.rawValue), "allocated": .whole(allocated),
            "spent": .whole(spent), "reserved": .whole(reserved), "debt": .whole(debt),
            "overdraft_limit": .whole(overdraftLimit), "is_over_limit": .bool(isOverLimit),
            "caps": caps?.json ?? nil, "status": .string(status.rawValue),
        ]
    }

    fileprivate init?(snapshot: JSONValue) {
        guard let allocated = snapshot["allocated"]?.int64, let spent = snapshot["spent"]?.int64,
            let reserved = snapshot["reserved"]?.int64, let debt = snapshot["debt"]?.int64,
            let overdraftLimit = snapshot["overdraft_limit"]?.int64,
            let isOverLimit = snapshot["is_over_limit"]?.bool,
            let status = snapshot["status"]?.string.flatMap(LocalAuthority.BudgetStatus.init),
            let caps = snapshot["caps"]
        else { return nil }
        self.init(
            allocated: allocated,
            spent: spent,
            reserved: reserved,
            debt: debt,
            overdraftLimit: overdraftLimit,
            isOverLimit: isOverLimit
        )
        self.status = status
        self.caps = caps == .null ? nil : Caps(snapshot: caps)
    }
}

extension Caps {
    fileprivate init(snapshot: JSONValue) {
        self.init(
            maxTokens: snapshot["max_tokens"]?.int64,
            maxStepsRemaining: snapshot["max_steps_remaining"]?.int64,
            toolAllowlist: snapshot["tool_allowlist"]?.array?.compactMap(\.string),
            toolDenylist: snapshot["tool_denylist"]?.array?.compactMap(\.string),
            cooldown: (snapshot["cooldown_ms"]?.int64).map { .milliseconds($0) }
        )
    }
}

extension Reservation {
    fileprivate var snapshot: JSONValue {
        [
            "id": .string(id), "tenant": .string(tenant), "idempotency_key": .string(idempotencyKey.rawValue),
            "subject": subject, "action": action, "metadata": metadata ?? nil, "amount": .whole(estimate.amount),
            "unit": .string(estimate.unit.rawValue), "overage_policy": .string(overagePolicy.rawValue),
            "scopes": .texts(scopes), "budget_scopes": .texts(budgetScopes),
            "max_extensions": .whole(Int64(maxExtensions)), "created_at_ms": .whole(createdAtMilliseconds),
            "grace_ms": .whole(graceMilliseconds),
            "expires_at_ms": .whole(expiresAtMilliseconds), "extensions": .whole(Int64(extensions)),
            "status": .string(status.rawValue), "committed": committedAmount.map(JSONValue.whole) ?? nil,
            "committed_metadata": committedMetadata ?? nil,
            "finalized_at_ms": finalizedAtMilliseconds.map(JSONValue.whole) ?? nil, "evidence": .object(evidence),
        ]
    }

    /// Also reads the form of earlier versions, which has no `max_extensions`.
    fileprivate init?(snapshot: JSONValue, options: LocalAuthority.Options, _ rules: ServerRules) {
        guard let id = snapshot["id"]?.string, let tenant = snapshot["tenant"]?.string,
            let key = snapshot["idempotency_key"]?.string, let subject = snapshot["subject"],
            let action = snapshot["action"], let amount = snapshot.natural("amount"),
            let unit = snapshot["unit"]?.string, let policy = snapshot["overage_policy"]?.string,
            let scopes = snapshot.texts("scopes"), let budgetScopes = snapshot.texts("budget_scopes"),
            let createdAt = snapshot["created_at_ms"]?.int64, let grace = snapshot.natural("grace_ms"),
            let expiresAt = snapshot["expires_at_ms"]?.int64,
            let extensions = snapshot.natural("extensions").flatMap(Int.init(exactly:)),
            let status = snapshot["status"]?.string.flatMap(Status.init), let evidence = snapshot["evidence"]?.object
        else { return nil }
        self.init(
            id: id,
            tenant: tenant,
            idempotencyKey: IdempotencyKey(key),
            subject: subject,
            action: action,
            metadata: snapshot.present("metadata"),
            estimate: Amount(amount, BudgetUnit(rawValue: unit)),
            overagePolicy: CommitOveragePolicy(rawValue: policy),
            scopes: scopes.map(rules.canonical),
            budgetScopes: budgetScopes.map(rules.canonical),
            maxExtensions: snapshot.natural("max_extensions").flatMap(Int.init(exactly:)) ?? options.maxExtensions,
            createdAtMilliseconds: createdAt,
            graceMilliseconds: grace,
            expiresAtMilliseconds: expiresAt,
            extensions: extensions,
            status: status,
            committedAmount: snapshot["committed"]?.int64,
            committedMetadata: snapshot.present("committed_metadata"),
            finalizedAtMilliseconds: snapshot["finalized_at_ms"]?.int64,
            evidence: evidence
        )
    }
}

extension IdempotencySlot {
    /// A sort key: the parts, separated by a byte that none of them contains.
    fileprivate var order: [UInt8] { Array(tenant.utf8) + [0] + Array(endpoint.utf8) + [0] + Array(key.rawValue.utf8) }

    fileprivate init?(snapshot: JSONValue) {
        guard let tenant = snapshot["tenant"]?.string, let endpoint = snapshot["endpoint"]?.string,
            let key = snapshot["key"]?.string
        else { return nil }
        self.init(tenant: tenant, endpoint: endpoint, key: IdempotencyKey(key))
    }
}

extension IdempotencyRecord {
    /// Writes the payload as a text, to preserve its bytes.
    fileprivate func snapshot(_ slot: IdempotencySlot) -> JSONValue {
        let lease: JSONValue? = lease.map {
            ["reservation_id": .string($0.reservationID), "expires_at_ms": .whole($0.expiresAtMilliseconds)]
        }
        let members: JSONValue = [
            "tenant": .string(slot.tenant), "endpoint": .string(slot.endpoint), "key": .string(slot.key.rawValue),
            "payload": .string(String(decoding: payload, as: UTF8.self)), "status": .whole(Int64(status)),
            "body": body, "lease": lease ?? nil,
        ]
        return members.setting("end_ms", to: endMilliseconds.map(JSONValue.whole))
    }

    fileprivate init?(snapshot: JSONValue) {
        guard let payload = snapshot["payload"]?.string, let body = snapshot["body"],
            let status = snapshot.natural("status"), (200...299).contains(status), let lease = snapshot["lease"]
        else { return nil }
        self.payload = Array(payload.utf8)
        self.status = Int(status)
        self.body = body
        endMilliseconds = snapshot["end_ms"]?.int64
        if lease == .null {
            self.lease = nil
        } else {
            guard let id = lease["reservation_id"]?.string, let expiry = lease["expires_at_ms"]?.int64 else {
                return nil
            }
            self.lease = Lease(reservationID: id, expiresAtMilliseconds: expiry)
        }
    }
}

extension JSONValue {
    /// The value of a member that is a whole number of 0 or more.
    fileprivate func natural(_ name: String) -> Int64? { self[name]?.int64.flatMap { $0 >= 0 ? $0 : nil } }

    /// The value of a member that is an array of texts.
    fileprivate func texts(_ name: String) -> [String]? {
        guard let elements = self[name]?.array else { return nil }
        let texts = elements.compactMap(\.string)
        return texts.count == elements.count ? texts : nil
    }

    /// The value of a member unless it is `null`.
    fileprivate func present(_ name: String) -> JSONValue? { self[name] == .null ? nil : self[name] }
}
