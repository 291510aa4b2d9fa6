import Testing

@testable import CyclesCLI

@Suite struct MessageWriterTests {
    @Test func linesAreWrittenWholeAndInOrder() async {
        let written = Lock([[UInt8]]())
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let writer = MessageWriter { line in
            written.withLock { $0.append(line) }
            if line == [9] { end.yield() }
            return true
        }
        for number in UInt8(0)..<5 { writer.enqueue([number]) }
        #expect(!writer.isIdle)
        #expect(writer.start {})
        for number in UInt8(5)..<10 { writer.enqueue([number]) }
        for await _ in ends { break }
        #expect(written.withLock { $0 } == (UInt8(0)..<10).map { [$0] })
    }

    @Test func aFailureIsReportedOnceAndNothingIsWrittenAfterwards() async {
        let writes = Lock(0)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let writer = MessageWriter { _ in
            writes.withLock { $0 += 1 }
            return false
        }
        for number in UInt8(0)..<3 { writer.enqueue([number]) }
        #expect(writer.start { end.yield() })
        for await _ in ends { break }
        writer.enqueue([3])
        writer.waitForRoom()
        #expect(writer.isIdle && writes.withLock { $0 } == 1)
    }

    @Test func readingWaitsWhileTooMuchIsUnwritten() async {
        let (starts, start) = AsyncStream.makeStream(of: Void.self)
        let writer = MessageWriter { _ in
            start.yield()
            return true
        }
        for _ in 0..<6 { writer.enqueue([UInt8](repeating: 1, count: 1_024 * 1_024)) }
        let hasRoom = Lock(false)
        #expect(
            Threads.start {
                writer.waitForRoom()
                hasRoom.withLock { $0 = true }
                start.finish()
            }
        )
        #expect(!hasRoom.withLock { $0 })
        #expect(writer.start {})
        for await _ in starts {}
        #expect(hasRoom.withLock { $0 })
    }
}
