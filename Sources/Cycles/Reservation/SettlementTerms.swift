/// What a settlement charges, from what its caller gave: nothing that a caller passes stands in its way.
///
/// What cannot be sent is replaced or left out, and named.
package struct SettlementTerms: Sendable {
    /// What to commit, valid in every part.
    package private(set) var commit: CommitRequest
    /// What was left out or replaced, and why.
    package private(set) var ignored: [String] = []

    /// - Parameters:
    ///   - actual: The amount that the caller gave; nil if it could not say.
    ///   - recorded: The spend that was recorded, in the unit of the estimate.
    ///   - isUnknown: Whether spend was recorded that could not be added: at least the estimate is charged.
    package init(
        actual: Amount?,
        metrics: CyclesMetrics?,
        metadata: [String: JSONValue],
        key: IdempotencyKey?,
        recorded: Int64?,
        isUnknown: Bool = false,
        estimate: Amount
    ) {
        commit = CommitRequest(actual: estimate)
        var isEstimate = false
        if let actual, actual.unit == estimate.unit, actual.amount >= 0 {
            commit.actual = actual
        } else {
            let recorded = max(0, recorded ?? 0)
            isEstimate = isUnknown || recorded == 0
            commit.actual.amount = isEstimate ? max(recorded, estimate.amount) : recorded
            if let actual {
                ignored.append("the actual amount \(actual), since the reservation is in \(estimate.unit), 0 or more")
            }
        }
        if let metrics {
            do throws(CyclesError) {
                try RequestValidation.metrics(metrics)
                commit.metrics = metrics
            } catch {
                ignored.append("the metrics: \(error)")
            }
        }
        for (name, value) in metadata {
            do throws(CyclesError) {
                try RequestValidation.metadata("metadata", [name: value])
                commit.metadata[name] = value
            } catch {
                ignored.append("the metadata \"\(name)\": \(error)")
            }
        }
        if isEstimate { commit.metadata["actual_source"] = "estimate" }
        if let key {
            do throws(CyclesError) {
                try RequestValidation.idempotencyKey(key)
                commit.idempotencyKey = key
            } catch {
                ignored.append("the idempotency key: \(error)")
            }
        }
    }
}
