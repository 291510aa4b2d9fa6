extension ReservationCreateRequest {
    /// Encodes the body of the request.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        JSONWriter.body(512, key) { writer in
            writer.member("subject", subject)
            writer.member("action", action)
            writer.member("estimate", estimate)
            writer.member("ttl_ms", timeToLive.wholeMilliseconds)
            writer.member("grace_period_ms", gracePeriod?.wholeMilliseconds)
            writer.member("overage_policy", overagePolicy?.rawValue)
            if dryRun { writer.member("dry_run", JSONValue.bool(true)) }
            writer.member("metadata", metadata)
        }
    }
}

extension CommitRequest {
    /// Encodes the body of the request.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        JSONWriter.body(256, key) { writer in
            writer.member("actual", actual)
            writer.member("metrics", metrics)
            writer.member("metadata", metadata)
        }
    }
}

extension ReleaseRequest {
    /// Encodes the body of the request.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        JSONWriter.body(128, key) { writer in writer.member("reason", reason) }
    }
}

extension ExtendRequest {
    /// Encodes the body of the request.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        JSONWriter.body(128, key) { writer in
            writer.member("extend_by_ms", extendBy.wholeMilliseconds)
            writer.member("metadata", metadata)
        }
    }
}

extension DecisionRequest {
    /// Encodes the body of the request.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        JSONWriter.body(512, key) { writer in
            writer.member("subject", subject)
            writer.member("action", action)
            writer.member("estimate", estimate)
            writer.member("metadata", metadata)
        }
    }
}

extension EventCreateRequest {
    /// Encodes the body of the request.
    package func encoded(key: IdempotencyKey) -> [UInt8] {
        JSONWriter.body(512, key) { writer in
            writer.member("subject", subject)
            writer.member("action", action)
            writer.member("actual", actual)
            writer.member("overage_policy", overagePolicy?.rawValue)
            writer.member("metrics", metrics)
            writer.member("client_time_ms", clientTimeMilliseconds)
            writer.member("metadata", metadata)
        }
    }
}

extension JSONWriter {
    /// Encodes a request's body, which begins with the idempotency key.
    @inline(__always)
    fileprivate static func body(
        _ capacity: Int,
        _ key: IdempotencyKey,
        _ writeMembers: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        JSONWriter.bytes(capacity: capacity) { writer in
            writer.beginObject()
            writer.member("idempotency_key", key.rawValue)
            writeMembers(&writer)
            writer.endObject()
        }
    }
}
