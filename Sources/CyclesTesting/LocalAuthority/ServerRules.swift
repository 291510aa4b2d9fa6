import Cycles

/// The points in which deployed servers and the specification differ, one member for each.
///
/// The ledger and the answers ask these rules, so that no other code knows which behavior is modelled.
struct ServerRules: Sendable {
    // MARK: Scopes

    /// Whether scopes are folded to lower case, in paths and in look-ups.
    var foldsLetterCase: Bool
    /// Whether `Balance.scope` is the last segment of the path instead of the whole path.
    var namesScopesByLastSegment: Bool
    /// Whether a query for balances finds descendants without being asked for them.
    var alwaysListsDescendants: Bool

    // MARK: Answers

    /// Whether a balance leaves out `debt`, `overdraft_limit` and `is_over_limit` when they are zero or false.
    var omitsZeros: Bool
    /// Whether the denial of a dry run has balances.
    var showsBalancesOfDeniedDryRuns: Bool
    /// Whether UNIT_MISMATCH on a commit has `details`.
    var explainsUnitMismatchOfCommits: Bool

    // MARK: Decisions

    /// Whether a scope over its limit is reported before what other scopes lack.
    var reportsOverLimitFirst: Bool
    /// Whether caps of ancestors are ignored.
    var takesCapsFromDeepestScopeOnly: Bool

    // MARK: Overdraft

    /// Whether the remaining budget pays its part of an overdraft, so that only the rest becomes debt.
    var spendsRemainingBeforeDebt: Bool
    /// Whether `is_over_limit` follows the debt. Otherwise a capped charge sets the flag, and each funding operation
    /// replaces it.
    var overLimitFollowsDebt: Bool

    // MARK: Operators

    /// Whether funding repays debt first.
    var repaysDebtWhenFunding: Bool
    /// Whether frozen and closed budgets can be funded.
    var fundsInactiveBudgets: Bool
    /// Whether the keys of suspended and closed tenants are unknown.
    var revokesKeysOfInactiveTenants: Bool

    // MARK: Time

    /// Whether one extension is cut to the longest time to live.
    var cutsExtensions: Bool
    /// How long an event's idempotency key is kept; nil means for ever.
    var eventKeyLifetimeMilliseconds: Int64?
    /// How long a reservation is kept after its end; nil means for ever.
    var finishedReservationLifetimeMilliseconds: Int64?

    static let deployed = ServerRules(
        foldsLetterCase: true,
        namesScopesByLastSegment: true,
        alwaysListsDescendants: true,
        omitsZeros: true,
        showsBalancesOfDeniedDryRuns: false,
        explainsUnitMismatchOfCommits: false,
        reportsOverLimitFirst: false,
        takesCapsFromDeepestScopeOnly: true,
        spendsRemainingBeforeDebt: true,
        overLimitFollowsDebt: false,
        repaysDebtWhenFunding: false,
        fundsInactiveBudgets: false,
        revokesKeysOfInactiveTenants: true,
        cutsExtensions: false,
        eventKeyLifetimeMilliseconds: 7 * 86_400_000,
        finishedReservationLifetimeMilliseconds: 30 * 86_400_000
    )

    static let specification = ServerRules(
        foldsLetterCase: false,
        namesScopesByLastSegment: false,
        alwaysListsDescendants: false,
        omitsZeros: false,
        showsBalancesOfDeniedDryRuns: true,
        explainsUnitMismatchOfCommits: true,
        reportsOverLimitFirst: true,
        takesCapsFromDeepestScopeOnly: false,
        spendsRemainingBeforeDebt: false,
        overLimitFollowsDebt: true,
        repaysDebtWhenFunding: true,
        fundsInactiveBudgets: true,
        revokesKeysOfInactiveTenants: false,
        cutsExtensions: true,
        eventKeyLifetimeMilliseconds: nil,
        finishedReservationLifetimeMilliseconds: nil
    )
}

extension ServerRules {
    init(_ behavior: LocalAuthority.Options.Behavior) {
        switch behavior {
        case .deployed: self = .deployed
        case .specification: self = .specification
        }
    }

    /// A scope, or a part of one, as the ledger keeps it.
    func canonical(_ scope: String) -> String { foldsLetterCase ? scope.lowercased() : scope }

    /// The scopes of a subject, the root first.
    func chain(of subject: RequestSubject) -> [String] { subject.scope.chain.map(canonical) }

    /// The value of `Balance.scope` for a path.
    func name(ofScope path: String) -> String {
        guard namesScopesByLastSegment, let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }

    /// Whether a figure or a flag that may be left out is part of a balance.
    func shows(_ figure: Int64) -> Bool { figure > 0 || !omitsZeros }
    func shows(_ flag: Bool) -> Bool { flag || !omitsZeros }

    /// Whether a reservation is not known any more.
    func hasForgotten(_ reservation: Reservation, at now: Int64) -> Bool {
        guard let lifetime = finishedReservationLifetimeMilliseconds, let end = reservation.endMilliseconds else {
            return false
        }
        return now >= end.saturatingAdding(lifetime)
    }
}
