extension ReservationCreateRequest {
    /// The body that is sent.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("idempotency_key", key.rawValue)
        writer.name("subject")
        subject.write(to: &writer)
        writer.name("action")
        action.write(to: &writer)
        writer.name("estimate")
        estimate.write(to: &writer)
        writer.member("ttl_ms", timeToLive.wholeMilliseconds)
        if let gracePeriod { writer.member("grace_period_ms", gracePeriod.wholeMilliseconds) }
        if let overagePolicy { writer.member("overage_policy", overagePolicy.rawValue) }
        if dryRun {
            writer.name("dry_run")
            writer.bool(true)
        }
        writer.metadata(metadata)
        writer.endObject()
        return writer.bytes
    }
}

extension CommitRequest {
    /// The body that is sent.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.member("idempotency_key", key.rawValue)
        writer.name("actual")
        actual.write(to: &writer)
        writer.metrics(metrics)
        writer.metadata(metadata)
        writer.endObject()
        return writer.bytes
    }
}

extension ReleaseRequest {
    /// The body that is sent.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.member("idempotency_key", key.rawValue)
        if let reason { writer.member("reason", reason) }
        writer.endObject()
        return writer.bytes
    }
}

extension ExtendRequest {
    /// The body that is sent.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.member("idempotency_key", key.rawValue)
        writer.member("extend_by_ms", extendBy.wholeMilliseconds)
        writer.metadata(metadata)
        writer.endObject()
        return writer.bytes
    }
}

extension DecisionRequest {
    /// The body that is sent.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("idempotency_key", key.rawValue)
        writer.name("subject")
        subject.write(to: &writer)
        writer.name("action")
        action.write(to: &writer)
        writer.name("estimate")
        estimate.write(to: &writer)
        writer.metadata(metadata)
        writer.endObject()
        return writer.bytes
    }
}

extension EventCreateRequest {
    /// The body that is sent.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("idempotency_key", key.rawValue)
        writer.name("subject")
        subject.write(to: &writer)
        writer.name("action")
        action.write(to: &writer)
        writer.name("actual")
        actual.write(to: &writer)
        if let overagePolicy { writer.member("overage_policy", overagePolicy.rawValue) }
        writer.metrics(metrics)
        if let clientTimeMilliseconds { writer.member("client_time_ms", clientTimeMilliseconds) }
        writer.metadata(metadata)
        writer.endObject()
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func metadata(_ metadata: [String: JSONValue]) {
        guard !metadata.isEmpty else { return }
        name("metadata")
        object(metadata)
    }

    fileprivate mutating func metrics(_ metrics: CyclesMetrics?) {
        guard let metrics else { return }
        name("metrics")
        metrics.write(to: &self)
    }
}
