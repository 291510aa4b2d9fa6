import Cycles

/// The differences between deployed servers and the specification, one member for each.
///
/// No other code depends on the modelled server.
struct ServerRules: Sendable {
    // MARK: Scopes

    /// Whether scopes are folded to lower case in paths and look-ups.
    var foldsLetterCase: Bool
    /// Whether `Balance.scope` is the last segment of the path instead of the whole path.
    var namesScopesByLastSegment: Bool
    /// Whether a query for balances includes descendants without `include_children`.
    var alwaysListsDescendants: Bool

    // MARK: Answers

    /// Whether a balance leaves out `debt`, `overdraft_limit` and `is_over_limit` when they are zero or false.
    var omitsZeros: Bool
    /// Whether the denial of a dry run has balances.
    var showsBalancesOfDeniedDryRuns: Bool
    /// Whether UNIT_MISMATCH on a commit has `details`.
    var explainsUnitMismatchOfCommits: Bool

    // MARK: Decisions

    /// Whether a scope over its limit takes precedence over debt and missing budget of other scopes.
    var reportsOverLimitFirst: Bool
    /// Whether caps of ancestors are ignored.
    var takesCapsFromDeepestScopeOnly: Bool

    // MARK: Overdraft

    /// Whether an overdraft spends the remaining budget first, so that only the rest becomes debt.
    var spendsRemainingBeforeDebt: Bool
    /// Whether `is_over_limit` follows the debt. Otherwise a capped charge sets the flag, and each funding operation
    /// replaces it.
    var overLimitFollowsDebt: Bool

    // MARK: Operators

    /// Whether funding repays debt first.
    var repaysDebtWhenFunding: Bool
    /// Whether frozen and closed budgets can be funded.
    var fundsInactiveBudgets: Bool
    /// Whether the keys of suspended and closed tenants are answered with 401.
    var revokesKeysOfInactiveTenants: Bool

    // MARK: Time

    /// Whether an extension is reduced to the maximum time to live.
    var cutsExtensions: Bool
    /// The time for which an event's idempotency key is kept; nil for ever.
    var eventKeyLifetimeMilliseconds: Int64?
    /// The time for which a reservation is kept after its end; nil for ever.
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

    /// A scope, or a part of it, in the ledger's form.
    func canonical(_ scope: String) -> String { foldsLetterCase ? scope.lowercased() : scope }

    /// The scopes of a subject, from the root down.
    func chain(of subject: RequestSubject) -> [String] { subject.scope.chain.map(canonical) }

    /// The value of `Balance.scope` for a path.
    func name(ofScope path: String) -> String {
        guard namesScopesByLastSegment, let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }

    /// Whether an optional figure or flag is part of a balance.
    func shows(_ figure: Int64) -> Bool { figure > 0 || !omitsZeros }
    func shows(_ flag: Bool) -> Bool { flag || !omitsZeros }

    /// Whether a reservation has been removed after its end.
    func hasForgotten(_ reservation: Reservation, at now: Int64) -> Bool {
        guard let lifetime = finishedReservationLifetimeMilliseconds, let end = reservation.endMilliseconds else {
            return false
        }
        return now >= end.saturatingAdding(lifetime)
    }
}
