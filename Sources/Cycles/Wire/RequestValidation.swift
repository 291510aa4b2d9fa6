/// The rules of the specification for requests, checked before anything is sent.
///
/// Lengths count Unicode scalars. Blank texts consist of Unicode white space only.
package enum RequestValidation {
    package static func subject(_ subject: Subject) throws(CyclesError) {
        guard !subject.isEmpty else {
            throw invalid(
                "subject",
                "has none of tenant, workspace, app, workflow, agent and toolset; give one, or configure a default"
            )
        }
        try level("tenant", subject.tenant)
        try level("workspace", subject.workspace)
        try level("app", subject.app)
        try level("workflow", subject.workflow)
        try level("agent", subject.agent)
        try level("toolset", subject.toolset)
        guard let dimensions = subject.dimensions else { return }
        guard dimensions.count <= 16 else {
            throw invalid("subject.dimensions", "has \(dimensions.count) entries; at most 16 are allowed")
        }
        for (name, value) in dimensions { try length("subject.dimensions.\(name)", value, atMost: 256) }
    }

    @inline(__always)
    private static func level(_ name: StaticString, _ value: String?) throws(CyclesError) {
        guard let value else { return }
        guard !value.isBlank else { throw invalid("subject.\(name)", "is blank; leave it out or name it") }
        try length("subject.\(name)", value, atMost: 128)
    }

    package static func action(_ action: Action) throws(CyclesError) {
        try length("action.kind", action.kind, atMost: 64)
        try length("action.name", action.name, atMost: 256)
        guard action.tags.count <= 10 else {
            throw invalid("action.tags", "has \(action.tags.count) entries; at most 10 are allowed")
        }
        for (index, tag) in action.tags.enumerated() { try length("action.tags[\(index)]", tag, atMost: 64) }
    }

    package static func amount(_ field: String, _ amount: Amount) throws(CyclesError) {
        guard amount.amount >= 0 else { throw invalid(field, "is \(amount); it has to be zero or more") }
    }

    package static func idempotencyKey(_ key: IdempotencyKey) throws(CyclesError) {
        try length("idempotencyKey", key.rawValue, atLeast: 1, atMost: 256)
        guard !key.rawValue.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else {
            throw invalid("idempotencyKey", "contains a line break or NUL")
        }
    }

    package static func reservationID(_ id: ReservationID) throws(CyclesError) {
        try length("reservationID", id.rawValue, atLeast: 1, atMost: 128)
        guard id.rawValue != ".", id.rawValue != ".." else {
            throw invalid("reservationID", "is \(id), which cannot be part of a path")
        }
    }

    package static func span(
        _ field: String,
        _ span: Duration,
        _ range: ClosedRange<Int64>
    ) throws(CyclesError) {
        guard range.contains(span.wholeMilliseconds) else {
            throw invalid(
                field,
                "is \(span.readable); it has to be from \(Duration.milliseconds(range.lowerBound).readable)"
                    + " to \(Duration.milliseconds(range.upperBound).readable)"
            )
        }
    }

    package static func metrics(_ metrics: CyclesMetrics?) throws(CyclesError) {
        guard let metrics else { return }
        if let tokens = metrics.tokensInput, tokens < 0 { throw invalid("metrics.tokensInput", "is less than zero") }
        if let tokens = metrics.tokensOutput, tokens < 0 { throw invalid("metrics.tokensOutput", "is less than zero") }
        if let latency = metrics.latency, latency < .zero { throw invalid("metrics.latency", "is less than zero") }
        if let version = metrics.modelVersion { try length("metrics.modelVersion", version, atMost: 128) }
        try metadata("metrics.custom", metrics.custom)
    }

    package static func metadata(_ field: String, _ metadata: [String: JSONValue]) throws(CyclesError) {
        // The object that holds the metadata is itself a member of the body.
        for value in metadata.values where !value.fits(depth: JSONValue.maximumDepth - 2) {
            throw invalid(field, "is nested deeper than \(JSONValue.maximumDepth) levels")
        }
    }

    package static func releaseReason(_ reason: String?) throws(CyclesError) {
        if let reason { try length("reason", reason, atMost: 256) }
    }

    package static func pageLimit(_ limit: Int?) throws(CyclesError) {
        if let limit, !(1...200).contains(limit) { throw invalid("limit", "is \(limit); it has to be from 1 to 200") }
    }

    package static func length(
        _ field: @autoclosure () -> String,
        _ text: String,
        atLeast least: Int = 0,
        atMost most: Int
    ) throws(CyclesError) {
        // A text has at most as many scalars as bytes: most texts need no count.
        let bytes = text.utf8.count
        if bytes >= least && bytes <= most && (least == 0 || bytes > 0) { return }
        let count = text.unicodeScalars.count
        guard count >= least else { throw invalid(field(), "is empty") }
        guard count <= most else {
            throw invalid(field(), "has \(count) characters; at most \(most) are allowed")
        }
    }

    package static func invalid(_ field: String, _ message: String) -> CyclesError {
        .validation(ValidationIssue(field: field, message: message))
    }
}

extension JSONValue {
    /// Whether arrays and objects are nested at most `depth` levels. Examines no deeper level.
    fileprivate func fits(depth: Int) -> Bool {
        switch self {
        case .array(let elements): depth > 0 && elements.allSatisfy { $0.fits(depth: depth - 1) }
        case .object(let members): depth > 0 && members.values.allSatisfy { $0.fits(depth: depth - 1) }
        case .null, .bool, .number, .string: true
        }
    }
}
