/// Computes a valid commit request from the caller's values. Invalid values never prevent settlement: they are replaced
/// or left out, and listed in ``ignored``.
package struct SettlementTerms: Sendable {
    /// The commit request; all its values are valid.
    package private(set) var commit: CommitRequest
    /// The values that were left out or replaced, each with the reason.
    package private(set) var ignored: [String] = []

    /// Computes the commit request.
    /// - Parameters:
    ///   - actual: The caller's amount; nil if it is not known.
    ///   - recorded: The recorded spend, in the unit of the estimate.
    ///   - isUnknown: Whether an unusable amount was recorded. At least the estimate is then charged.
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
                ignored.append("the actual amount \(actual), which has to be in \(estimate.unit) and 0 or more")
            }
        }
        if let metrics {
            do throws(CyclesError) {
                try RequestValidation.metrics(metrics)
                commit.metrics = metrics
            } catch {
                ignored.append(error.defect)
            }
        }
        for (name, value) in metadata {
            do throws(CyclesError) {
                try RequestValidation.metadata("metadata[\"\(name)\"]", [name: value])
                commit.metadata[name] = value
            } catch {
                ignored.append(error.defect)
            }
        }
        if isEstimate {
            let mark = SettlementRecord.estimateMark
            commit.metadata[mark.name] = mark.value
        }
        if let key {
            do throws(CyclesError) {
                try RequestValidation.idempotencyKey(key)
                commit.idempotencyKey = key
            } catch {
                ignored.append(error.defect)
            }
        }
    }
}

extension CyclesError {
    /// The field and the defect of a value that is left out. The description would say that nothing was sent.
    var defect: String {
        if case .validation(let issue) = self { "\(issue.field) \(issue.message)" } else { description }
    }
}
